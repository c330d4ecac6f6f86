"""The shuffled order in which pictures are visited, different in every epoch."""

import numpy as np


class Order:
    """Maps the number of a visit, from 0 without end, to a picture.

    An epoch visits each of `count` pictures `times` times, in rounds, each shuffled
    anew. With a `window` below `count`, all rounds over that many pictures come before
    the next ones, so that a cache of that size decodes each picture once per epoch.
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
    """Random permutations by key, with a cache of the latest few.

    Grain's own shuffle samples 16-bit numbers until one is in range, which takes
    milliseconds per picture of a small folder.
    """

    def __init__(self, seed: int):
        self._seed = seed
        self._kept: dict[tuple[int, ...], np.ndarray] = {}

    def __call__(self, count: int, *key: int) -> np.ndarray:
        order = self._kept.get(key)
        if order is None:
            order = np.random.default_rng((self._seed, *key)).permutation(count)
            # The dict is replaced atomically, so that other threads can read it.
            latest = list(self._kept.items())[-7:]
            self._kept = dict([*latest, (key, order)])
        return order

    def __reduce__(self):
        return _Permutations, (self._seed,)
