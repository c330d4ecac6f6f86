"""Whatever restores a clip: networks as `kdsharp video` runs them, unsharp masks.

A restorer takes the frames of a clip in their order and gives restored luma, one plane
a frame. A network that remembers frames forgets them when a clip begins.
"""

import dataclasses
import hashlib
import json
import threading
import time
from collections.abc import Iterable, Iterator

import jax
import numpy as np

from kdsharp.data.clips import codecs
from kdsharp.errors import UserError
from kdsharp.evaluation.quality.restorers import INPUT, row_name
from kdsharp.export import network as networks
from kdsharp.media.video import planes, unsharp
from kdsharp.media.video.restoring import Restoration, Restoring

AMOUNTS = (0.25, 0.5, 1.0)


@dataclasses.dataclass
class Unsharp:
    """An unsharp mask of radius 1."""

    amount: float
    parameters: None = None

    @property
    def name(self) -> str:
        return f"unsharp {self.amount:.0%}"

    @property
    def identity(self) -> str:
        return self.name

    def __call__(self, frames: Iterable) -> Iterator[np.ndarray]:
        for frame in frames:
            plane = codecs.luma(frame)
            unsharp.mask(plane, self.amount, 8)
            yield plane


class Nothing:
    """The frames as they are."""

    name = identity = INPUT
    parameters = None

    def __call__(self, frames: Iterable) -> Iterator[np.ndarray]:
        yield from map(codecs.luma, frames)


class Network:
    """A network as `kdsharp video` runs it, one clip at a time."""

    def __init__(self, given: str, *, backend: str, dtype: str, threads: int):
        loaded = networks.of_weights(given)
        self.name = row_name(given, loaded.card)
        self.parameters = sum(np.size(x) for x in jax.tree.leaves(loaded.params))
        self.channels = loaded.model.channels
        self.identity = f"{_digest(loaded)}-{backend}-{dtype}"
        self._wanted = Restoring(
            model=given, backend=backend, dtype=dtype, threads=threads
        )
        self._sizes: dict[tuple[int, int], Restoration] = {}
        self._lock = threading.Lock()

    def __call__(self, frames: Iterable) -> Iterator[np.ndarray]:
        with self._lock:
            for restored in self.video(frames):
                yield codecs.luma(restored)

    def video(self, frames: Iterable) -> Iterator:
        """Restored frames, with their colour."""
        restore = None
        for frame in frames:
            restore = restore or self._restoration(frame)
            yield restore(planes.renamed(frame, frame.format.name))

    def milliseconds(self, frames: list) -> float:
        """The median time of a frame."""
        restore, times = self._restoration(frames[0]), []
        for frame in frames:
            own = planes.renamed(frame, frame.format.name)
            begun = time.perf_counter()
            restore(own)
            times.append(1000 * (time.perf_counter() - begun))
        return float(np.median(times))

    def _restoration(self, frame) -> Restoration:
        size = (frame.width, frame.height)
        if size not in self._sizes:
            self._sizes[size] = Restoration(self._wanted)
            self._sizes[size].prepare(frame)
        return self._sizes[size]


def load(
    names: Iterable[str], *, backend: str, dtype: str, threads: int
) -> tuple[list[Network], dict[str, str]]:
    """The networks, and why others are not among them.

    Where two are called the same, the second goes by its path.
    """
    found, failed = [], {}
    for given in dict.fromkeys(names):
        try:
            network = Network(given, backend=backend, dtype=dtype, threads=threads)
        except UserError as error:
            failed[given] = str(error)
            continue
        taken = [INPUT, *(Unsharp(amount).name for amount in AMOUNTS)]
        if network.name in (*taken, *(other.name for other in found)):
            network.name = given
        found.append(network)
    return found, failed


def _digest(network: networks.Network) -> str:
    """What tells networks with other numbers or another shape apart."""
    hashed = hashlib.sha256(json.dumps(network.card["model"], sort_keys=True).encode())
    for path, leaf in sorted(
        jax.tree_util.tree_leaves_with_path(network.params), key=lambda at: str(at[0])
    ):
        hashed.update(str(path).encode())
        hashed.update(np.ascontiguousarray(leaf).tobytes())
    return hashed.hexdigest()[:16]
