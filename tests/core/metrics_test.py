"""Metrics against scikit-image."""

import jax
import numpy as np
import skimage.color
import skimage.data
import skimage.metrics
from absl.testing import absltest, parameterized

from kdsharp.core import metrics
from kdsharp.errors import UserError
from tests.core import published


def _pair(channels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    sharp = skimage.data.astronaut()[100:180, 150:250, :channels] / np.float32(255)
    noise = np.random.default_rng(0).normal(scale=0.05, size=sharp.shape)
    return np.clip(sharp + noise, 0, 1).astype(np.float32), sharp


def _of_skimage(name: str, restored: np.ndarray, sharp: np.ndarray) -> float:
    if name == "mse":
        return skimage.metrics.mean_squared_error(restored, sharp)
    if name == "mae":
        return np.abs(restored - sharp).mean(dtype=np.float64)
    if name == "psnr":
        return skimage.metrics.peak_signal_noise_ratio(sharp, restored, data_range=1)
    return skimage.metrics.structural_similarity(
        sharp,
        restored,
        data_range=1,
        channel_axis=-1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )


class MetricsTest(parameterized.TestCase):
    @parameterized.product(name=list(metrics.METRICS), channels=(1, 3))
    def test_equals_scikit_image(self, name, channels):
        restored, sharp = _pair(channels)
        got = metrics.METRICS[name](restored[None], sharp[None])
        self.assertEqual(got.shape, (1,))
        np.testing.assert_allclose(
            got[0], _of_skimage(name, restored, sharp), rtol=1e-4
        )

    @parameterized.parameters(*metrics.METRICS)
    def test_each_picture_of_a_batch_has_its_own_score(self, name):
        restored, sharp = _pair()
        got = metrics.METRICS[name](
            np.stack([restored, sharp * 0.9]), np.stack([sharp, sharp])
        )
        for score, picture in zip(got, (restored, sharp * 0.9), strict=True):
            np.testing.assert_allclose(
                score, _of_skimage(name, picture, sharp), rtol=1e-4
            )

    @parameterized.parameters(*metrics.METRICS)
    def test_values_outside_0_to_1_are_clipped(self, name):
        restored, sharp = _pair()
        beyond = np.where(restored == 1, 1.5, np.where(restored == 0, -0.5, restored))
        self.assertGreater(np.abs(beyond - restored).max(), 0)
        np.testing.assert_allclose(
            metrics.METRICS[name](beyond[None], sharp[None])[0],
            _of_skimage(name, restored, sharp),
            rtol=1e-4,
        )

    def test_ms_ssim_equals_scikit_image(self):
        sharp = skimage.data.coffee()[None, :170, :165] / np.float32(255)
        beyond = sharp * 1.3 - 0.1
        expected = published.ms_ssim(np.clip(beyond, 0, 1)[0], sharp[0])
        got = jax.jit(metrics.OF_PICTURES["ms_ssim"])(beyond, sharp)
        np.testing.assert_allclose(got, [expected], atol=1e-5)

    def test_ms_ssim_of_a_small_picture_is_a_user_error(self):
        small = np.zeros((1, 160, 200, 3), np.float32)
        with self.assertRaisesRegex(UserError, "200x160 pixels.*has to be 161"):
            metrics.ms_ssim(small, small)

    def test_metrics_of_crops_are_metrics_of_pictures(self):
        self.assertContainsSubset(metrics.METRICS, metrics.OF_PICTURES)
        self.assertContainsSubset(metrics.MAXIMISED, metrics.OF_PICTURES)


class ProtocolTest(parameterized.TestCase):
    @parameterized.product(shave=(0, 3))
    def test_luma_equals_scikit_image(self, shave):
        restored, _ = _pair()
        expected = skimage.color.rgb2ycbcr(restored)[..., :1] / 255
        height, width = expected.shape[:2]
        got = metrics.compared(restored[None], "luma", shave)
        np.testing.assert_allclose(
            got[0],
            expected[shave : height - shave, shave : width - shave],
            atol=1e-5,
        )

    @parameterized.parameters(("rgb", 3), ("luma", 1))
    def test_pictures_with_the_channels_of_the_protocol_stay(self, protocol, channels):
        restored, _ = _pair(channels)
        np.testing.assert_array_equal(
            metrics.compared(restored[None], protocol)[0], restored
        )

    @parameterized.parameters(
        ("yuv", 0, "'yuv'; choose one of: rgb, luma"),
        ("rgb", 40, "40 pixels cannot be left out of a picture of 100x80"),
        ("rgb", -1, "-1 pixels cannot"),
    )
    def test_unknown_protocol_or_border_is_a_user_error(self, protocol, shave, message):
        with self.assertRaisesRegex(UserError, message):
            metrics.compared(_pair()[0][None], protocol, shave)


if __name__ == "__main__":
    absltest.main()
