"""Frames that are shown again need no network: still screens, slides, slowed films."""

import numpy as np

from kdsharp.runtime.backends.backend import Plane, RunPlane

# Rows compared before all others: where planes differ, nearly always one of these does.
_SAMPLE = slice(None, None, 16)


class SkipRepeats:
    """Runs a network on planes of one size, but not on one that equals the last.

    Equal means every integer of it: what comes back is what the network would return.
    """

    def __init__(self, run: RunPlane):
        self._run = run
        self._last: tuple[Plane, Plane] | None = None

    def __call__(self, plane: Plane, out: Plane | None, gains=None) -> Plane:
        if self._last is not None and _equal(plane, self._last[0]):
            if out is None:
                return self._last[1].copy()
            out[...] = self._last[1]
            return out
        if self._last is None:
            self._last = np.empty_like(plane), np.empty_like(plane)
        given, restored = self._last
        # Before the run, which may write its result over the plane.
        np.copyto(given, plane)
        self._last = None
        result = self._run(plane, out, gains)
        np.copyto(restored, result)
        self._last = given, restored
        return result


def _equal(a: Plane, b: Plane) -> bool:
    return np.array_equal(a[_SAMPLE], b[_SAMPLE]) and np.array_equal(a, b)
