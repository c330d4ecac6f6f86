"""Skips the network for repeated frames: still screens, slides, slowed-down films."""

import numpy as np

from kdsharp.runtime.backends.backend import Plane, RunPlane

# Rows compared first: if planes differ, nearly always one of these differs.
_SAMPLE = slice(None, None, 16)


class SkipRepeats:
    """Runs a network on planes, and reuses the last result if a plane is repeated.

    Planes must be equal in every pixel, so that the result is what the network would
    return. One with memory might return another; its result stays, without flicker.
    """

    def __init__(self, run: RunPlane):
        self._run = run
        self._last: tuple[Plane, Plane] | None = None

    def start_sequence(self) -> None:
        """Starts a new sequence: a network with memory would see another state."""
        self._last = None

    def __call__(
        self, plane: Plane, out: Plane | None = None, /, *further: np.ndarray
    ) -> Plane:
        if self._last is not None and _equal(plane, self._last[0]):
            if out is None:
                return self._last[1].copy()
            out[...] = self._last[1]
            return out
        if self._last is None:
            self._last = np.empty_like(plane), np.empty_like(plane)
        given, restored = self._last
        # Copied before the run, which may overwrite the plane.
        np.copyto(given, plane)
        self._last = None
        result = self._run(plane, out, *further)
        np.copyto(restored, result)
        self._last = given, restored
        return result


def _equal(a: Plane, b: Plane) -> bool:
    return np.array_equal(a[_SAMPLE], b[_SAMPLE]) and np.array_equal(a, b)
