"""Spectra of errors, held against closed forms."""

import numpy as np
import scipy.ndimage
from absl.testing import absltest, parameterized
from PIL import Image

from kdsharp.core import degradations
from kdsharp.evaluation.plots import spectrum
from kdsharp.evaluation.quality import cases, restorers


def _noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0.2, 0.8, shape)


class SpectrumTest(parameterized.TestCase):
    @parameterized.parameters((0.1, 0.0), (0.0, 0.26), (0.3, 0.3), (0.49, 0.0))
    def test_a_wave_is_in_the_band_of_its_frequency(self, across, down):
        rows, columns = np.mgrid[:90, :120]
        wave = np.cos(2 * np.pi * (across * columns + down * rows))[..., None]
        found = spectrum.power(0.5 + 0.3 * wave)
        distance = abs(spectrum.frequencies() - np.hypot(across, down))
        self.assertEqual(np.argmax(found), np.argmin(distance))
        self.assertLess(found[distance > 0.05].max(), 1e-3 * found.max())

    def test_noise_has_all_frequencies_alike(self):
        noise = _noise(256, 200, 3)
        found = spectrum.power(noise, 10)
        # The window lets (3/8)^2 of the power pass, of a Fourier sum of so many pixels.
        expected = noise.var() * (3 / 8) ** 2 * 256 * 200
        np.testing.assert_allclose(found, expected, rtol=0.1)

    def test_the_error_of_a_filter_is_what_its_response_lacks(self):
        sharp = _noise(256, 256, 3)
        kernel = np.outer([1, 2, 1], [1, 2, 1])[..., None] / 16
        blurred = scipy.ndimage.convolve(sharp, kernel, mode="wrap")
        found = spectrum.relative_error([(blurred, sharp)], 10)
        down, across = np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256))
        # Of a quarter, a half, a quarter: the cosine of half the angle, squared.
        response = np.square(np.cos(np.pi * down) * np.cos(np.pi * across))
        band = np.floor(np.hypot(down, across) * 20)
        lost = [np.square(1 - response)[band == b].mean() for b in range(10)]
        np.testing.assert_allclose(found, lost, rtol=0.1, atol=2e-3)

    def test_what_is_left_grey_is_lost_and_what_is_sharp_is_not(self):
        sharp = _noise(64, 64, 1)
        for restored, expected in ((0 * sharp + 0.5, 1), (sharp, 0)):
            found = spectrum.relative_error([(restored, sharp)] * 2)
            np.testing.assert_allclose(found, expected, atol=1e-9)

    def test_bands_that_a_small_picture_has_not_are_no_number(self):
        found = spectrum.power(_noise(8, 8, 1))
        self.assertTrue(np.isnan(found[0]))
        self.assertFalse(np.isnan(found[5]))  # An eighth of a cycle a pixel.


class CasesTest(absltest.TestCase):
    def test_a_source_is_blurred_as_pillow_does_it(self):
        pixels = (255 * _noise(41, 50, 3)).astype(np.uint8)
        pictures = cases.of_source(
            [{"key": "a", "sharp": pixels}], degradations.create("bicubic:2")
        )
        sharp, blurred, _ = pictures.whole[0].load()
        image = Image.fromarray(pixels[:40])
        small = image.resize((25, 20), Image.BICUBIC)
        expected = np.asarray(small.resize(image.size, Image.BICUBIC)) / 255
        np.testing.assert_allclose(sharp[0], pixels[:40] / 255, atol=1e-6)
        np.testing.assert_allclose(blurred[0], expected, atol=1.01 / 255)
        self.assertEqual(pictures.whole[0].name, "a")

    def test_pairs_stay_what_they_are(self):
        record = {
            name: np.full((8, 8, 3), value, np.uint8)
            for name, value in (("sharp", 255), ("blurred", 51))
        }
        source = [{"key": "a", **record}]
        pictures = cases.of_source(source, degradations.create("bicubic:2"))
        sharp, blurred, _ = pictures.whole[0].load()
        np.testing.assert_allclose(sharp, 1)
        np.testing.assert_allclose(blurred, 0.2, rtol=1e-6)

    def test_input_and_networks_have_a_spectrum_each(self):
        source = [{"key": "a", "sharp": np.uint8(255 * _noise(32, 32, 3))}]
        pictures = cases.of_source(source, degradations.create("bicubic:2"))
        sharp = pictures.whole[0].load().sharp
        perfect = restorers.PictureRestorer("perfect", lambda _: sharp)
        grey = restorers.PictureRestorer("grey", lambda x: 0 * x + 0.5)
        found = spectrum.relative_errors(pictures, [perfect, grey], 4)
        self.assertEqual([*found], ["input", "perfect", "grey"])
        np.testing.assert_allclose(found["perfect"], 0)
        np.testing.assert_allclose(found["grey"], 1, rtol=1e-5)
        # Half the pixels hold no stripe finer than a quarter of a cycle each way.
        self.assertLess(found["input"][0], 0.2)
        self.assertGreater(found["input"][3], 0.8)


if __name__ == "__main__":
    absltest.main()
