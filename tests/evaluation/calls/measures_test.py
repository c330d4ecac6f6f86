"""Measures of luma against scikit-image and closed forms, and VMAF's properties."""

import numpy as np
import scipy.ndimage
import skimage.data
import skimage.metrics
from absl.testing import absltest, parameterized

from kdsharp.core import metrics
from kdsharp.evaluation.calls import measures, vmaf

_SPAN = 219


def _studio(grey: np.ndarray) -> np.ndarray:
    return np.round(16 + grey * _SPAN).astype(np.uint8)


def _camera(frames: int = 2) -> np.ndarray:
    picture = skimage.data.camera()[100:228, 150:310] / 255
    return np.stack([_studio(picture)] * frames)


class MeasuresTest(parameterized.TestCase):
    def test_psnr_and_ssim_equal_scikit_image(self):
        true = _camera()
        noise = np.random.default_rng(0).normal(0, 6, true.shape[1:])
        noisy = np.clip(true + noise, 16, 235).astype(np.uint8)
        found = measures.measure(noisy, true, 8)
        a, b = ((x[0] - 16.0) / _SPAN for x in (noisy, true))
        psnr = skimage.metrics.peak_signal_noise_ratio(b, a, data_range=1)
        self.assertAlmostEqual(found["psnr"], psnr, places=3)
        _, each = skimage.metrics.structural_similarity(
            b,
            a,
            data_range=1,
            gaussian_weights=True,
            use_sample_covariance=False,
            full=True,
        )
        # Only windows inside the picture, as here.
        self.assertAlmostEqual(found["ssim"], each[5:-5, 5:-5].mean(), places=4)

    def test_values_outside_studio_range_are_clipped(self):
        true = np.full((2, 32, 32), 16, np.uint8)
        darker = np.zeros_like(true)
        self.assertEqual(measures.measure(darker, true, 8)["psnr"], metrics.MAX_PSNR)

    def test_sharpness_of_half_the_contrast_is_a_quarter(self):
        true = _camera()
        weak = np.round(126 + (true.astype(float) - 126) / 2).astype(np.uint8)
        found = measures.measure(weak, true, 8)["sharpness"]
        self.assertAlmostEqual(found, 0.25, delta=0.003)
        self.assertEqual(measures.measure(true, true, 8)["sharpness"], 1)

    @parameterized.parameters(8, 16)
    def test_blocking_is_the_ratio_of_steps_at_the_grid(self, grid):
        # Ramps of one level per pixel, with steps of three at each grid line.
        slope = np.arange(64) + 2 * (np.arange(64) // grid)
        plane = _studio(np.zeros((1, 64, 64))) + np.uint8(slope[:, None] + slope[None])
        self.assertAlmostEqual(
            measures.blocking(measures.to_unit_range(plane), grid), 3, places=3
        )
        off_grid = measures.blocking(measures.to_unit_range(plane[:, 3:, 3:]), grid)
        self.assertAlmostEqual(off_grid, 1, places=4)

    def test_blocking_of_jpeg_and_of_photographs(self):
        picture = measures.to_unit_range(_camera())
        self.assertAlmostEqual(measures.blocking(picture, 8), 1, delta=0.1)
        means = picture[:, 4::8, 4::8].repeat(8, 1).repeat(8, 2)
        self.assertGreater(measures.blocking(means, 8), 100)

    def test_flicker_is_the_error_of_the_change(self):
        # The left half is still, the right half brightens by 10 levels per frame.
        true = np.full((3, 32, 32), 100, np.uint8)
        true[:, :, 16:] += 10 * np.arange(3, dtype=np.uint8)[:, None, None]
        restored = true.copy()
        restored[1, :, :16] += 3  # On and off again: 3 levels at both steps.
        restored[2, :, 16:] += 4  # Only the second step is 4 levels off.
        found = measures.measure(restored, true, 8)
        level = 255 / _SPAN
        self.assertAlmostEqual(found["flicker_still"], 3 * level, places=4)
        self.assertAlmostEqual(found["flicker_moving"], 2 * level, places=4)
        self.assertAlmostEqual(found["flicker"], 2.5 * level, places=4)

    def test_constant_error_does_not_flicker(self):
        true = _camera(3)
        found = measures.measure(true // 2 + 60, true, 8)
        self.assertEqual(found["flicker_still"], 0)
        self.assertIsNone(found["flicker_moving"])

    def test_vmaf_rewards_sharpening_and_its_neg_model_less(self):
        true = _camera(17)
        picture = true[0].astype(float)
        blurred = scipy.ndimage.gaussian_filter(picture, 1)
        sharpened = picture + 1.5 * (picture - blurred)
        scores = {
            name: vmaf.measure(
                np.stack([np.clip(np.round(x), 16, 235).astype(np.uint8)] * 17), true
            )
            for name, x in {
                "same": picture,
                "blurred": scipy.ndimage.gaussian_filter(picture, 2),
                "sharpened": sharpened,
            }.items()
        }
        self.assertGreater(scores["same"]["vmaf"], 90)
        self.assertLess(scores["blurred"]["vmaf"], scores["same"]["vmaf"] - 20)
        rewarded = {
            model: scores["sharpened"][model] - scores["same"][model]
            for model in ("vmaf", "vmaf_neg")
        }
        self.assertLess(rewarded["vmaf_neg"], rewarded["vmaf"] - 1)


if __name__ == "__main__":
    absltest.main()
