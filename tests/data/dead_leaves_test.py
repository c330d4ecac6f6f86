"""Dead-leaves pictures have the statistics of photographs."""

import functools
import pathlib

import numpy as np
import pytest
import scipy.stats
import skimage
from absl.testing import absltest, parameterized
from PIL import Image

from kdsharp.data import dead_leaves

# Photographs in scikit-image, cropped to squares.
_PHOTOGRAPHS = ("astronaut.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")
_LUMA = (0.299, 0.587, 0.114)


@functools.cache
def _leaves() -> np.ndarray:
    return np.stack([dead_leaves.render(i, size=256, seed=1) for i in range(16)]) / 255


@functools.cache
def _photographs() -> np.ndarray:
    squares = []
    for name in _PHOTOGRAPHS:
        with Image.open(pathlib.Path(skimage.data_dir, name)) as image:
            pixels = np.asarray(image)
        squares += [pixels[:256, :256], pixels[-256:, -256:], pixels[100:356, 100:356]]
    return np.stack(squares) / 255


def _spectral_slope(pictures: np.ndarray) -> float:
    """Slope of the mean power spectrum of luma, in log-log scale."""
    luma = pictures @ _LUMA
    luma = luma - luma.mean((1, 2), keepdims=True)
    window = np.hanning(256)
    power = (np.abs(np.fft.fft2(luma * window * window[:, None])) ** 2).mean(0)
    frequency = np.hypot(np.fft.fftfreq(256), np.fft.fftfreq(256)[:, None])
    edges = np.geomspace(1 / 64, 1 / 2, 13)
    band = np.digitize(frequency, edges)
    mean = [power[band == i].mean() for i in range(1, len(edges))]
    middle = np.sqrt(edges[1:] * edges[:-1])
    return scipy.stats.linregress(np.log(middle), np.log(mean)).slope


def _gradient(pictures: np.ndarray) -> np.ndarray:
    return np.diff(pictures, axis=2)


class DeadLeavesTest(parameterized.TestCase):
    def test_the_same_index_gives_the_same_picture(self):
        again = dead_leaves.render(3, size=256, seed=1)
        np.testing.assert_array_equal(again / 255, _leaves()[3])

    @pytest.mark.slow
    def test_every_index_and_seed_gives_another_picture(self):
        pictures = [*_leaves(), dead_leaves.render(0, size=256, seed=2) / 255]
        flat = {picture.tobytes() for picture in pictures}
        self.assertLen(flat, 17)

    @parameterized.parameters(dead_leaves.MIN_SIZE, 50, 101)
    def test_sizes_need_not_be_multiples(self, size):
        picture = dead_leaves.render(0, size=size, seed=0)
        self.assertEqual(picture.shape, (size, size, 3))
        self.assertEqual(picture.dtype, np.uint8)

    def test_power_falls_with_frequency_as_in_photographs(self):
        # Single photographs have slopes from -3.0 to -1.7; the mean of a few is a
        # reference within 2/3.
        slope = _spectral_slope(_leaves())
        self.assertBetween(slope, -2.9, -1.9)
        self.assertAlmostEqual(slope, _spectral_slope(_photographs()), delta=0.66)

    def test_gradients_have_heavy_tails_as_in_photographs(self):
        ours = _gradient(_leaves() @ _LUMA).ravel()
        theirs = _gradient(_photographs() @ _LUMA).ravel()
        # A normal distribution has an excess of 0, a Laplace distribution of 3.
        self.assertGreater(scipy.stats.kurtosis(theirs), 6)
        self.assertGreater(scipy.stats.kurtosis(ours), 6)
        self.assertBetween(ours.std() / theirs.std(), 0.5, 2)

    def test_most_of_the_detail_is_grey_as_in_photographs(self):
        gradient = _gradient(_leaves())
        grey = gradient.mean(-1)
        coloured = (gradient - grey[..., None]).std()
        self.assertLess(coloured, 0.3 * grey.std())

    def test_pictures_use_the_full_range_and_rarely_clip(self):
        leaves = _leaves()
        low, high = np.quantile(leaves, (0.05, 0.95))
        self.assertLess(low, 0.2)
        self.assertGreater(high, 0.75)
        self.assertLess(((leaves == 0) | (leaves == 1)).mean(), 0.15)

    def test_pictures_differ_in_brightness_and_in_contrast(self):
        luma = _leaves() @ _LUMA
        self.assertGreater(luma.mean((1, 2)).std(), 0.05)
        self.assertGreater(np.log(luma.std((1, 2))).std(), 0.1)


if __name__ == "__main__":
    absltest.main()
