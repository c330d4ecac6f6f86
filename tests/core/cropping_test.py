"""Crops by their pixels, each of which says where it was."""

import numpy as np
from absl.testing import absltest, parameterized

from kdsharp.core.cropping import center_crop


class CenterCropTest(parameterized.TestCase):
    @parameterized.parameters(
        ((7, 5), (3, 3), range(2, 5), range(1, 4)),
        ((6, 8), (3, 5), range(1, 4), range(1, 6)),
        ((4, 9), (8, 2), range(4), range(3, 5)),
        ((4, 4), (4, 4), range(4), range(4)),
        ((3, 2), (5, 5), range(3), range(2)),
    )
    def test_it_is_the_middle_as_far_as_there_is_one(self, shape, size, rows, columns):
        picture = np.stack(np.indices(shape), axis=-1)
        cut = center_crop(picture, *size)
        self.assertEqual(cut[:, 0, 0].tolist(), list(rows))
        self.assertEqual(cut[0, :, 1].tolist(), list(columns))

    def test_a_plane_will_do(self):
        plane = np.arange(12).reshape(3, 4)
        np.testing.assert_array_equal(center_crop(plane, 1, 2), [[5, 6]])


if __name__ == "__main__":
    absltest.main()
