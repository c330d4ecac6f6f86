"""Metrics against scikit-image's."""

import numpy as np
import skimage.data
import skimage.metrics
from absl.testing import absltest, parameterized

from kdsharp.core import metrics


def _pair(channels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    sharp = skimage.data.astronaut()[100:180, 150:250, :channels] / np.float32(255)
    noise = np.random.default_rng(0).normal(scale=0.05, size=sharp.shape)
    return np.clip(sharp + noise, 0, 1).astype(np.float32), sharp


def _of_skimage(name: str, restored: np.ndarray, sharp: np.ndarray) -> float:
    if name == "mse":
        return skimage.metrics.mean_squared_error(restored, sharp)
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
    def test_what_a_screen_cannot_show_does_not_count(self, name):
        restored, sharp = _pair()
        beyond = np.where(restored == 1, 1.5, np.where(restored == 0, -0.5, restored))
        self.assertGreater(np.abs(beyond - restored).max(), 0)
        np.testing.assert_allclose(
            metrics.METRICS[name](beyond[None], sharp[None])[0],
            _of_skimage(name, restored, sharp),
            rtol=1e-4,
        )


if __name__ == "__main__":
    absltest.main()
