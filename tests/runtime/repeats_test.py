"""Planes that come again are not computed again, and nothing else changes."""

import numpy as np
from absl.testing import absltest, parameterized
from scipy import ndimage

from kdsharp.data import dead_leaves
from kdsharp.runtime import planes
from kdsharp.runtime.gain_tracker import EVERY
from kdsharp.runtime.repeats import SkipRepeats
from tests.export import random_networks

_SIZE = (48, 32)


def _random(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(16, 236, _SIZE[::-1], np.uint8)


class _Counting:
    """Restores by adding one to a plane, and counts how often."""

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

    def test_repeats_do_not_flicker_while_gains_change(self):
        network = random_networks.create(
            dict(name="real_time", channels=1, width=8, context=8)
        )
        picture = dead_leaves.render(0, size=160, seed=4)[..., 1]
        # The same scene, less sharp: the gains approach those of this plane slowly.
        softer = ndimage.gaussian_filter(picture, 1.0)
        restore, seen = (planes.create(network, 160, 160) for _ in range(2))
        skipping = SkipRepeats(restore)
        np.testing.assert_array_equal(skipping(picture)(), seen(picture))
        first = skipping(softer)()
        np.testing.assert_array_equal(first, seen(softer))
        for _ in range(EVERY):
            np.testing.assert_array_equal(skipping(softer)(), first)
            computed = seen(softer)
        self.assertGreater(np.abs(np.int32(computed) - first).max(), 0)

    @parameterized.parameters("openvino", "onnxruntime", "jax")
    def test_every_backend_gives_the_same_with_and_without(self, backend):
        restore = planes.create("rt-s-bicubic2", *_SIZE, backend=backend)
        skipping = SkipRepeats(restore)
        for seed in (1, 1, 2, 2, 1):
            np.testing.assert_array_equal(
                skipping(_random(seed))(), restore(_random(seed))
            )


if __name__ == "__main__":
    absltest.main()
