"""Networks on planes of video: integers in and out, at one size.

A network for luma takes the Y plane of a frame as the decoder returns it, and returns
one for the encoder; chroma is not touched. The conversion between integers and floats
is part of the graph.
"""

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from kdsharp.base import choices
from kdsharp.errors import UserError
from kdsharp.export import levels
from kdsharp.export import network as networks
from kdsharp.runtime import backends
from kdsharp.runtime.backends.backend import Plane, PlaneJob, RunPlane
from kdsharp.runtime.gain_tracker import GainTracker
from kdsharp.runtime.recall import Recall
from kdsharp.weights import store

RANGES = ("studio", "full")

Pending = Callable[[], Plane]
"""Waits for a restored plane and returns it."""


@dataclasses.dataclass(frozen=True)
class PlaneRestorer:
    """A function from a plane to the restored plane, of the same shape and type.

    The result is written to `out` if given, otherwise to a new array. Contiguous planes
    are not copied.

    `start` begins to restore a plane and returns a function that waits for the result,
    so that several planes are restored at the same time.

    For a network with a context or with memory, consecutive planes form a sequence,
    which `gain_tracker` and `recall` keep track of; `start_sequence` starts a new one.
    """

    shape: tuple[int, ...]
    element: type
    backend: str
    _run: RunPlane
    _threads: ThreadPoolExecutor
    gain_tracker: GainTracker | None = None
    recall: Recall | None = None

    def start_sequence(self) -> None:
        """Starts a new sequence with the next plane."""
        if self.gain_tracker:
            self.gain_tracker.start_sequence()
        if self.recall:
            # After the planes that have been started.
            self._threads.submit(self.recall.start_sequence).result()

    def __call__(self, plane: Plane, out: Plane | None = None) -> Plane:
        for array in (plane, out) if out is not None else (plane,):
            self._check(array)
        gains = self._gains(plane)
        if out is not None and not out.flags.c_contiguous:
            out[...] = self._run(plane, None, *gains)
            return out
        return self._run(plane, out, *gains)

    def start(self, plane: Plane) -> Pending:
        """Begins to restore the plane, which must not change until the result is there.

        Planes are taken as a sequence in the order of the calls.
        """
        self._check(plane)
        return self._threads.submit(self._run, plane, None, *self._gains(plane)).result

    def _check(self, array: Plane) -> None:
        if array.shape != self.shape or array.dtype != self.element:
            raise ValueError(
                f"a plane of {array.dtype} {array.shape}, not of "
                f"{np.dtype(self.element)} {self.shape}"
            )

    def _gains(self, plane: Plane) -> list[np.ndarray]:
        if self.gain_tracker is None:
            return []
        return [self.gain_tracker(plane)[None, :, None, None]]


def create(
    weights: str | store.Weights | networks.TrainedNetwork,
    width: int,
    height: int,
    *,
    backend: str = "auto",
    dtype: str = "float32",
    threads: int = 0,
    range: str = "studio",
    strength: float = 1.0,
    depth: int = 8,
    rgb: bool = False,
    device: str = "",
    parallel: int = 1,
) -> PlaneRestorer:
    """Creates a function that restores planes of one size.

    In `studio` range black is 16 and white 235 (for 8 bits), in `full` range 0 and 255.
    `strength` scales the residual; `threads=0` uses every core. With `rgb`, a network
    for luma takes RGB pictures and leaves chroma unchanged. With `parallel`, as many
    planes share the threads, which restores more of them but each more slowly. Planes
    of a network with memory wait for those before.
    """
    if range not in RANGES:
        raise choices.unknown("range", range, RANGES)
    if depth not in (8, 10):
        raise UserError(f"planes of {depth} bits cannot be restored: give 8 or 10")
    if min(width, height) < 1:
        raise UserError(f"a plane of {width}x{height} has no pixels")
    name = backends.choose(backend, dtype, device)
    if not isinstance(weights, networks.TrainedNetwork):
        weights = networks.of_weights(weights)
    if weights.has_memory:
        parallel = 1
    compute = backends.compute(
        name, dtype=dtype, threads=threads, device=device, parallel=parallel
    )
    job = PlaneJob(weights, width, height, range, strength, depth, rgb, compute)
    run = backends.BACKENDS[name].planes(job)
    pixels = levels.of_video(depth, range)
    gain_tracker = recall = None
    if job.remembers:
        run = recall = Recall(run, pixels)
    if weights.has_context:
        gain_tracker = GainTracker(weights.params["context"], pixels)
    # Its threads start when they are first needed; one alone keeps the order.
    pool = ThreadPoolExecutor(parallel, thread_name_prefix="restore")
    return PlaneRestorer(job.shape, job.element, name, run, pool, gain_tracker, recall)
