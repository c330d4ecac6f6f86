"""`grid_shift`: random crops after the degradation."""

import jax
import numpy as np
from absl.testing import absltest

from kdsharp.core import degradations
from kdsharp.training import step


class GridShiftTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        pictures = np.random.default_rng(0).integers(0, 256, (24, 20, 20, 3), np.uint8)
        self.batch = {"sharp": pictures}
        self.keys = jax.random.split(jax.random.key(0), len(pictures))
        self.degrade = degradations.create("bicubic:2")

    def _places(self, shift: int) -> list[list[tuple[int, int]]]:
        """The places in the sharp and blurred pictures where each crop is found."""
        whole = step.sharp_and_blurred(self.batch, self.keys, self.degrade, 1)
        cut = step.sharp_and_blurred(self.batch, self.keys, self.degrade, 1, shift)
        found = []
        for sharp, blurred, *parts in zip(*whole, *cut, strict=True):
            size = len(parts[0])
            self.assertEqual(size, 20 - shift)
            found.append(
                [
                    (top, left)
                    for top in range(shift + 1)
                    for left in range(shift + 1)
                    if all(
                        np.array_equal(w[top : top + size, left : left + size], p)
                        for w, p in zip((sharp, blurred), parts, strict=True)
                    )
                ]
            )
        return found

    def test_sharp_and_blurred_are_cropped_alike_at_random_places(self):
        places = self._places(2)
        for found in places:
            self.assertLen(found, 1)
        # 24 pictures use most of the nine possible places.
        self.assertGreater(len({found[0] for found in places}), 5)

    def test_without_shift_nothing_is_cropped(self):
        self.assertEqual(self._places(0), [[(0, 0)]] * 24)


if __name__ == "__main__":
    absltest.main()
