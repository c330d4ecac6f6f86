"""Which picture is visited when: every epoch in an order of its own."""

import numpy as np


class Order:
    """The endless series of visits: `order(index)` is the picture of that visit.

    Every epoch visits each of `count` pictures `times` times, one after the other and
    in a fresh order each time. Where `window` is less than `count`, so many pictures
    are visited in turn before the next ones, so that each is decoded once in an epoch.
    """

    def __init__(self, count: int, times: int, seed: int, window: int | None = None):
        self._count = count
        self._times = times
        self._window = min(window or count, count)
        self._orders = _Permutations(seed)

    def __call__(self, index: int) -> int:
        epoch, visit = divmod(index, self._count * self._times)
        window, visit = divmod(visit, self._window * self._times)
        first = window * self._window
        size = min(self._window, self._count - first)
        turn, place = divmod(visit, size)
        place = first + self._orders(size, epoch, window, turn)[place]
        return int(self._orders(self._count, epoch)[place])


class _Permutations:
    """Permutations by what they are for, of which the latest few are kept.

    Grain's own shuffle draws numbers of sixteen bits until one is small enough, which
    takes milliseconds for each picture of a small folder; a permutation takes none.
    """

    def __init__(self, seed: int):
        self._seed = seed
        self._kept: dict[tuple[int, ...], np.ndarray] = {}

    def __call__(self, count: int, *key: int) -> np.ndarray:
        order = self._kept.get(key)
        if order is None:
            order = np.random.default_rng((self._seed, *key)).permutation(count)
            # Replaced as a whole: threads that look up meanwhile see either.
            latest = list(self._kept.items())[-7:]
            self._kept = dict([*latest, (key, order)])
        return order

    def __reduce__(self):
        return _Permutations, (self._seed,)
