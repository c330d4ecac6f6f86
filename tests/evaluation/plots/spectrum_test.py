"""Error spectra against closed forms."""

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
    def test_wave_is_in_the_band_of_its_frequency(self, across, down):
        rows, columns = np.mgrid[:90, :120]
        wave = np.cos(2 * np.pi * (across * columns + down * rows))[..., None]
        found = spectrum.power(0.5 + 0.3 * wave)
        distance = abs(spectrum.frequencies() - np.hypot(across, down))
        self.assertEqual(np.argmax(found), np.argmin(distance))
        self.assertLess(found[distance > 0.05].max(), 1e-3 * found.max())

    def test_spectrum_of_white_noise_is_flat(self):
        noise = _noise(256, 200, 3)
        found = spectrum.power(noise, 10)
        # The window passes (3/8)^2 of the power, and the Fourier sum is over all
        # pixels.
        expected = noise.var() * (3 / 8) ** 2 * 256 * 200
        np.testing.assert_allclose(found, expected, rtol=0.1)

    def test_error_of_a_filter_equals_its_frequency_response(self):
        sharp = _noise(256, 256, 3)
        kernel = np.outer([1, 2, 1], [1, 2, 1])[..., None] / 16
        blurred = scipy.ndimage.convolve(sharp, kernel, mode="wrap")
        found = spectrum.relative_error([(blurred, sharp)], 10)
        down, across = np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256))
        # The response of (1/4, 1/2, 1/4) is the squared cosine of half the angle.
        response = np.square(np.cos(np.pi * down) * np.cos(np.pi * across))
        band = np.floor(np.hypot(down, across) * 20)
        lost = [np.square(1 - response)[band == b].mean() for b in range(10)]
        np.testing.assert_allclose(found, lost, rtol=0.1, atol=2e-3)

    def test_relative_error_is_1_for_grey_and_0_for_sharp(self):
        sharp = _noise(64, 64, 1)
        for restored, expected in ((0 * sharp + 0.5, 1), (sharp, 0)):
            found = spectrum.relative_error([(restored, sharp)] * 2)
            np.testing.assert_allclose(found, expected, atol=1e-9)

    def test_empty_bands_of_small_pictures_are_nan(self):
        found = spectrum.power(_noise(8, 8, 1))
        self.assertTrue(np.isnan(found[0]))
        self.assertFalse(np.isnan(found[5]))  # 1/8 cycle per pixel.


class CasesTest(absltest.TestCase):
    def test_cases_of_a_source_are_blurred_as_by_pillow(self):
        pixels = (255 * _noise(41, 50, 3)).astype(np.uint8)
        pictures = cases.of_source(
            [{"key": "a", "sharp": pixels}], degradations.create("bicubic:2")
        )
        sharp, blurred, _ = pictures.usable[0].load()
        image = Image.fromarray(pixels[:40])
        small = image.resize((25, 20), Image.BICUBIC)
        expected = np.asarray(small.resize(image.size, Image.BICUBIC)) / 255
        np.testing.assert_allclose(sharp[0], pixels[:40] / 255, atol=1e-6)
        np.testing.assert_allclose(blurred[0], expected, atol=1.01 / 255)
        self.assertEqual(pictures.usable[0].name, "a")

    def test_pairs_are_not_changed(self):
        record = {
            name: np.full((8, 8, 3), value, np.uint8)
            for name, value in (("sharp", 255), ("blurred", 51))
        }
        source = [{"key": "a", **record}]
        pictures = cases.of_source(source, degradations.create("bicubic:2"))
        sharp, blurred, _ = pictures.usable[0].load()
        np.testing.assert_allclose(sharp, 1)
        np.testing.assert_allclose(blurred, 0.2, rtol=1e-6)

    def test_relative_errors_of_input_and_networks(self):
        source = [{"key": "a", "sharp": np.uint8(255 * _noise(32, 32, 3))}]
        pictures = cases.of_source(source, degradations.create("bicubic:2"))
        sharp = pictures.usable[0].load().sharp
        perfect = restorers.PictureRestorer("perfect", lambda _: sharp)
        grey = restorers.PictureRestorer("grey", lambda x: 0 * x + 0.5)
        found = spectrum.relative_errors(pictures, [perfect, grey], 4)
        self.assertEqual([*found], ["input", "perfect", "grey"])
        np.testing.assert_allclose(found["perfect"], 0)
        np.testing.assert_allclose(found["grey"], 1, rtol=1e-5)
        # Half the resolution holds no frequencies above 1/4 cycle per pixel.
        self.assertLess(found["input"][0], 0.2)
        self.assertGreater(found["input"][3], 0.8)


if __name__ == "__main__":
    absltest.main()
