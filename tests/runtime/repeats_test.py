"""Planes that come again are not computed again, and nothing else changes."""

import numpy as np
from absl.testing import absltest, parameterized

from kdsharp.runtime import planes
from kdsharp.runtime.repeats import SkipRepeats

_SIZE = (48, 32)


def _random(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(16, 236, _SIZE[::-1], np.uint8)


class _Counting:
    """Restores by adding one to a plane, and counts how often."""

    gain_tracker = None

    def __init__(self):
        self.runs = 0

    def start_sequence(self):
        pass

    def start(self, plane):
        self.runs += 1
        restored = plane + np.uint8(1)
        return lambda: restored


class SkipRepeatsTest(parameterized.TestCase):
    def test_only_the_plane_before_counts_as_seen(self):
        network = _Counting()
        skipping = SkipRepeats(network)
        runs = []
        for seed in (1, 1, 2, 2, 1):
            np.testing.assert_array_equal(skipping(_random(seed))(), _random(seed) + 1)
            runs.append(network.runs)
        self.assertEqual(runs, [1, 1, 2, 2, 3])

    def test_a_plane_is_repeated_before_its_result_is_there(self):
        network = _Counting()
        skipping = SkipRepeats(network)
        waiting = [skipping(_random(seed)) for seed in (1, 1, 2)]
        self.assertEqual(network.runs, 2)
        for wait, seed in zip(waiting, (1, 1, 2), strict=True):
            np.testing.assert_array_equal(wait(), _random(seed) + 1)

    def test_one_changed_pixel_is_another_plane(self):
        network = _Counting()
        skipping = SkipRepeats(network)
        plane = _random(1)
        skipping(plane)()
        for row in range(len(plane)):
            plane[row, 7] ^= 1
            np.testing.assert_array_equal(skipping(plane)(), plane + 1)
        self.assertEqual(network.runs, 1 + len(plane))

    def test_a_result_written_over_its_plane_is_not_taken_for_it(self):
        network = _Counting()
        skipping = SkipRepeats(network)
        for _ in range(2):
            plane = _random(1)
            plane[...] = skipping(plane)()
            np.testing.assert_array_equal(plane, _random(1) + 1)
        self.assertEqual(network.runs, 1)

    def test_a_result_that_may_come_again_cannot_be_drawn_on(self):
        restored = SkipRepeats(_Counting())(_random(1))()
        with self.assertRaises(ValueError):
            restored[...] = 0

    def test_a_network_that_fails_fails_for_repeats_too(self):
        def failed():
            raise ValueError("out of memory")

        network = _Counting()
        network.start = lambda plane: failed
        skipping = SkipRepeats(network)
        for _ in range(2):
            with self.assertRaises(ValueError):
                skipping(_random(1))()

    def test_a_new_sequence_repeats_nothing_of_the_one_before(self):
        network = _Counting()
        skipping = SkipRepeats(network)
        for _ in range(2):
            skipping.start_sequence()
            skipping(_random(1))()
        self.assertEqual(network.runs, 2)

    def test_a_network_with_a_context_sees_every_plane(self):
        network = _Counting()
        network.gain_tracker = object()
        skipping = SkipRepeats(network)
        for _ in range(3):
            skipping(_random(1))()
        self.assertEqual(network.runs, 3)

    @parameterized.parameters("openvino", "onnxruntime", "jax")
    def test_every_backend_gives_the_same_with_and_without(self, backend):
        restore = planes.create("rt-s-call", *_SIZE, backend=backend)
        skipping = SkipRepeats(restore)
        for seed in (1, 1, 2, 2, 1):
            np.testing.assert_array_equal(
                skipping(_random(seed))(), restore(_random(seed))
            )


if __name__ == "__main__":
    absltest.main()
