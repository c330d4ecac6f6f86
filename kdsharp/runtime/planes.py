"""Networks on planes of video: integers in, integers out, at one size.

A network of luma takes the Y plane of a frame as a decoder gives it and returns one as
an encoder takes it; colour passes by and is never converted. What turns integers into
a network's numbers and back is part of the graph that runs.
"""

import dataclasses

import numpy as np

from kdsharp.base import choices
from kdsharp.errors import UserError
from kdsharp.export import levels
from kdsharp.export import network as networks
from kdsharp.runtime import backends
from kdsharp.runtime.backends.backend import Plane, PlaneJob, RunPlane
from kdsharp.runtime.following import Following
from kdsharp.runtime.repeats import SkipRepeats
from kdsharp.weights import store

RANGES = ("studio", "full")


@dataclasses.dataclass(frozen=True)
class Restorer:
    """A function from planes to restored planes of that shape and type.

    Given `out`, it writes there; else what it returns is new. Planes whose lines lie
    one after another are read where they are, others are copied first.

    A network with a context takes them for a sequence, in their order: `following` has
    the gains for each. `forget` says that another sequence begins.
    """

    shape: tuple[int, ...]
    element: type
    backend: str
    _run: RunPlane
    following: Following | None = None

    def forget(self) -> None:
        """Takes the next plane for the first."""
        if self.following:
            self.following.forget()

    def __call__(self, plane: Plane, out: Plane | None = None) -> Plane:
        for array in (plane, out) if out is not None else (plane,):
            if array.shape != self.shape or array.dtype != self.element:
                raise ValueError(
                    f"a plane of {array.dtype} {array.shape}, not of "
                    f"{np.dtype(self.element)} {self.shape}"
                )
        gains = None
        if self.following:
            gains = self.following(plane)[None, :, None, None]
        if out is not None and not out.flags.c_contiguous:
            out[...] = self._run(plane, None, gains)
            return out
        return self._run(plane, out, gains)


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
    skip_repeats: bool = False,
) -> Restorer:
    """Returns what restores planes of that size; `threads` 0 is every core.

    In `studio` range black is 16 and white 235 (of 8 bits), in `full` 0 and 255.
    `strength` multiplies what the network adds. With `rgb` a network of luma is given
    RGB, too, and lets colour pass. With `skip_repeats` a plane that equals the last one
    gets that one's result again, unless the network has a context.
    """
    if range not in RANGES:
        raise choices.unknown("range", range, RANGES)
    if depth not in (8, 10):
        raise UserError(f"planes of {depth} bits cannot be restored: give 8 or 10")
    if min(width, height) < 1:
        raise UserError(f"a plane of {width}x{height} has no pixels")
    name = backends.choose(backend, dtype)
    if not isinstance(weights, networks.TrainedNetwork):
        weights = networks.of_weights(weights)
    backends.check_threads(threads)
    compute = backends.Compute(dtype, threads)
    job = PlaneJob(weights, width, height, range, strength, depth, rgb, compute)
    run = backends.BACKENDS[name].planes(job)
    following = None
    if weights.has_context:
        pixels = levels.of_video(depth, range)
        following = Following(weights.params["context"], pixels)
    elif skip_repeats:
        run = SkipRepeats(run)
    return Restorer(job.shape, job.element, name, run, following)
