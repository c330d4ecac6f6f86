"""Planes that come again are not computed again, and nothing else changes."""

import numpy as np
from absl.testing import absltest, parameterized

from kdsharp.runtime import planes
from kdsharp.runtime.repeats import SkipRepeats

_SIZE = (48, 32)


def _random(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(16, 236, _SIZE[::-1], np.uint8)


class _Counting:
    """Adds one to a plane, and counts how often."""

    def __init__(self):
        self.runs = 0

    def __call__(self, plane, out, gains):
        self.runs += 1
        if out is None:
            return plane + np.uint8(1)
        out[...] = plane + np.uint8(1)
        return out


class SkipRepeatsTest(parameterized.TestCase):
    def test_only_the_plane_before_counts_as_seen(self):
        network = _Counting()
        skipping = SkipRepeats(network)
        runs = []
        for seed in (1, 1, 2, 2, 1):
            np.testing.assert_array_equal(
                skipping(_random(seed), None, None), _random(seed) + 1
            )
            runs.append(network.runs)
        self.assertEqual(runs, [1, 1, 2, 2, 3])

    def test_one_changed_pixel_is_another_plane(self):
        network = _Counting()
        skipping = SkipRepeats(network)
        plane = _random(1)
        skipping(plane, None, None)
        for row in range(len(plane)):
            plane[row, 7] ^= 1
            np.testing.assert_array_equal(skipping(plane, None, None), plane + 1)
        self.assertEqual(network.runs, 1 + len(plane))

    def test_a_result_written_over_its_plane_is_not_taken_for_it(self):
        network = _Counting()
        skipping = SkipRepeats(network)
        for _ in range(2):
            plane = _random(1)
            skipping(plane, plane, None)
            np.testing.assert_array_equal(plane, _random(1) + 1)
        self.assertEqual(network.runs, 1)
        # What was returned is the caller's, who may draw on it.
        skipping(_random(1), None, None)[...] = 0
        np.testing.assert_array_equal(skipping(_random(1), None, None), _random(1) + 1)

    def test_a_network_that_fails_leaves_nothing_to_repeat(self):
        def failing(plane, out, gains):
            raise ValueError("out of memory")

        skipping = SkipRepeats(failing)
        for _ in range(2):
            with self.assertRaises(ValueError):
                skipping(_random(1), None, None)

    @parameterized.parameters("openvino", "onnxruntime", "jax")
    def test_every_backend_gives_the_same_with_and_without(self, backend):
        plain, skipping = (
            planes.create("rt-s-call", *_SIZE, backend=backend, skip_repeats=skip)
            for skip in (False, True)
        )
        for seed in (1, 1, 2, 2, 1):
            np.testing.assert_array_equal(skipping(_random(seed)), plain(_random(seed)))


if __name__ == "__main__":
    absltest.main()
