"""Restorers of clips: networks as run by `kdsharp video`, and unsharp masks.

A restorer takes all frames of a clip in one call, in order, and yields one plane of
restored luma per frame. State from earlier frames is reset for each call.
"""

import dataclasses
import hashlib
import json
import threading
import time
from collections.abc import Iterable, Iterator, Sequence

import jax
import numpy as np

from kdsharp.data.clips import codecs
from kdsharp.errors import UserError
from kdsharp.evaluation.quality.restorers import INPUT, row_name
from kdsharp.export import network as networks
from kdsharp.media.video import frames, unsharp
from kdsharp.media.video.restoring import Restoration
from kdsharp.runtime.options import RestoreOptions

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

    def __call__(self, frames: Sequence) -> Iterator[np.ndarray]:
        for frame in frames:
            plane = codecs.luma(frame)
            unsharp.mask(plane, self.amount, 8)
            yield plane


class Identity:
    """Returns the frames unchanged."""

    name = identity = INPUT
    parameters = None

    def __call__(self, frames: Sequence) -> Iterator[np.ndarray]:
        yield from map(codecs.luma, frames)


class NetworkRestorer:
    """A network as run by `kdsharp video`, on several clips at a time.

    Each clip uses a restoration of its own, on one core.
    """

    def __init__(self, spec: str, *, backend: str, dtype: str):
        loaded = networks.of_weights(spec)
        self.name = row_name(spec, loaded.card)
        self.parameters = sum(np.size(x) for x in jax.tree.leaves(loaded.params))
        self.identity = f"{_digest(loaded)}-{backend}-{dtype}"
        self._options = RestoreOptions(
            model=spec, backend=backend, dtype=dtype, threads=1
        )
        self._idle: dict[tuple[int, int], list[Restoration]] = {}
        self._lock = threading.Lock()

    def __call__(self, frames: Sequence) -> Iterator[np.ndarray]:
        yield from map(codecs.luma, self.video(frames))

    def video(self, frames: Sequence) -> Iterator:
        """Yields restored frames with colour."""
        size = (frames[0].width, frames[0].height)
        with self._lock:
            idle = self._idle.setdefault(size, [])
            restore = idle.pop() if idle else None
        if restore is None:
            restore = Restoration(self._options)
            restore.prepare(frames[0])
        restore.start_sequence()
        for frame in frames:
            yield restore(_copy(frame))
        with self._lock:
            idle.append(restore)

    def milliseconds(self, frames: Sequence, threads: int) -> float:
        """Measures the median milliseconds per frame on `threads` cores; 0 uses all."""
        restore = Restoration(dataclasses.replace(self._options, threads=threads))
        restore.prepare(frames[0])
        times = []
        for frame in map(_copy, frames):
            begun = time.perf_counter()
            restore(frame)
            times.append(1000 * (time.perf_counter() - begun))
        return float(np.median(times))


def _copy(frame):
    return frames.copy(frame)


def load(
    names: Iterable[str], *, backend: str, dtype: str
) -> tuple[list[NetworkRestorer], dict[str, str]]:
    """Loads networks; returns them, and the reasons why others failed to load.

    If two have the same name, the second is named by its path.
    """
    found, failed = [], {}
    for spec in dict.fromkeys(names):
        try:
            network = NetworkRestorer(spec, backend=backend, dtype=dtype)
        except UserError as error:
            failed[spec] = str(error)
            continue
        taken = [INPUT, *(Unsharp(amount).name for amount in AMOUNTS)]
        if network.name in (*taken, *(other.name for other in found)):
            network.name = spec
        found.append(network)
    return found, failed


def _digest(network: networks.TrainedNetwork) -> str:
    """A digest of a network's architecture and weights."""
    hashed = hashlib.sha256(json.dumps(network.card["model"], sort_keys=True).encode())
    for path, leaf in sorted(
        jax.tree_util.tree_leaves_with_path(network.params), key=lambda at: str(at[0])
    ):
        hashed.update(str(path).encode())
        hashed.update(np.ascontiguousarray(leaf).tobytes())
    return hashed.hexdigest()[:16]
