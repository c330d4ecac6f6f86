"""Blur whose grid lies anywhere: cut from what was blurred as a whole."""

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
        """Returns where, in the whole picture and its blur, each cut is found."""
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

    def test_sharp_and_blurred_are_cut_at_one_place_each_picture_at_its_own(self):
        places = self._places(2)
        for found in places:
            self.assertLen(found, 1)
        # Of nine places, 24 pictures take more than a few.
        self.assertGreater(len({found[0] for found in places}), 5)

    def test_without_a_shift_nothing_is_cut(self):
        self.assertEqual(self._places(0), [[(0, 0)]] * 24)


if __name__ == "__main__":
    absltest.main()
