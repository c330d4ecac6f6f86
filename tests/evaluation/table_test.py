"""Scores of the table against Pillow and scikit-image."""

import numpy as np
import skimage.data
import skimage.metrics
from absl.testing import absltest
from PIL import Image

from kdsharp.core import degradations
from kdsharp.evaluation import table


def _photographs() -> list[np.ndarray]:
    return [skimage.data.astronaut()[:96, 160:272], skimage.data.coffee()[90:191, :81]]


def _cut(picture: np.ndarray) -> np.ndarray:
    """Crops a picture to a multiple of the factor, as in published tests."""
    return picture[: len(picture) // 2 * 2, : picture.shape[1] // 2 * 2]


def _blur_with_pillow(picture: np.ndarray) -> np.ndarray:
    image = Image.fromarray(picture)
    small = image.resize((image.width // 2, image.height // 2), Image.BICUBIC)
    return np.asarray(small.resize(image.size, Image.BICUBIC))


class TableTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.rows = table.score(
            ({"key": "", "sharp": picture} for picture in _photographs()),
            {"brighter": lambda blurred: blurred + 0.1},
            degradations.create("bicubic:2"),
        )

    def test_scores_of_the_input_equal_pillow_and_scikit_image(self):
        for row, picture in zip(self.rows, map(_cut, _photographs()), strict=True):
            expected = skimage.metrics.peak_signal_noise_ratio(
                picture, _blur_with_pillow(picture)
            )
            self.assertAlmostEqual(row["input"]["psnr"], expected, delta=0.01)

    def test_restorer_is_scored_on_its_own_output(self):
        for row, picture in zip(self.rows, map(_cut, _photographs()), strict=True):
            restored = np.clip(_blur_with_pillow(picture) / 255 + 0.1, 0, 1)
            expected = skimage.metrics.mean_squared_error(picture / 255, restored)
            self.assertAlmostEqual(row["brighter"]["mse"], expected, delta=1e-5)

    def test_means_are_over_pictures(self):
        scores = [row["input"]["ssim"] for row in self.rows]
        self.assertAlmostEqual(
            table.means(self.rows)["input"]["ssim"], sum(scores) / 2, places=6
        )

    def test_table_shows_gain_and_parameters(self):
        means = table.means(self.rows)
        lines = table.markdown(means, {"brighter": 12345}).splitlines()
        self.assertLen(lines, 4)
        gain = means["brighter"]["psnr"] - means["input"]["psnr"]
        self.assertIn("12,345", lines[3])
        self.assertIn(f"{gain:+.2f}", lines[3])
        self.assertLen({line.count("|") for line in lines}, 1)


if __name__ == "__main__":
    absltest.main()
