"""SSIM and MS-SSIM against scikit-image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.data
import skimage.metrics
from absl.testing import absltest, parameterized

from kdsharp.core import similarity
from kdsharp.errors import UserError
from tests.core import published


def _pair(height: int, width: int, channels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    sharp = skimage.data.astronaut()[60:, 90:][:height, :width, :channels]
    sharp = sharp / np.float32(255)
    noise = np.random.default_rng(0).normal(scale=0.05, size=sharp.shape)
    return (sharp + noise).astype(np.float32)[None], sharp[None]


# Compiling one program is faster than running its operations one by one.
_ms_ssim = jax.jit(similarity.ms_ssim, static_argnames="scales")


class SsimTest(parameterized.TestCase):
    @parameterized.parameters(
        ("gaussian", 1, 11, 40), ("gaussian", 3, 150, 200), ("uniform", 3, 64, 129)
    )
    def test_equals_scikit_image(self, window, channels, height, width):
        restored, sharp = _pair(height, width, channels)
        as_published = {"gaussian_weights": True, "sigma": 1.5}
        as_published["use_sample_covariance"] = False
        expected = skimage.metrics.structural_similarity(
            sharp[0],
            restored[0],
            data_range=1,
            channel_axis=-1,
            **(as_published if window == "gaussian" else {}),
        )
        got = similarity.ssim(restored, sharp, window=window)
        np.testing.assert_allclose(got, [expected], atol=1e-5)

    def test_each_picture_of_a_batch_has_its_own_score(self):
        restored, sharp = _pair(40, 40)
        batch = np.concatenate([restored, sharp * 0.5, sharp])
        expected = [
            skimage.metrics.structural_similarity(
                sharp[0],
                picture,
                data_range=1,
                channel_axis=-1,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
            for picture in batch
        ]
        got = similarity.ssim(batch, np.repeat(sharp, 3, 0))
        np.testing.assert_allclose(got, expected, atol=1e-4)

    def test_bfloat16_is_computed_in_float32(self):
        restored, sharp = (jnp.bfloat16(x) for x in _pair(64, 64))
        expected = similarity.ssim(np.float32(restored), np.float32(sharp))
        np.testing.assert_allclose(similarity.ssim(restored, sharp), expected)

    def test_too_small_a_picture_is_a_user_error(self):
        with self.assertRaisesRegex(UserError, "11x11 pixels or more; these are 20x10"):
            similarity.ssim(np.zeros((1, 10, 20, 3)), np.zeros((1, 10, 20, 3)))

    def test_unknown_window_is_a_user_error(self):
        with self.assertRaisesRegex(
            UserError, "'box'; choose one of: gaussian, uniform"
        ):
            similarity.ssim(*_pair(32, 32), window="box")


class MultiScaleTest(parameterized.TestCase):
    @parameterized.parameters((161, 170, 3), (176, 163, 1))
    def test_equals_scikit_image(self, height, width, channels):
        restored, sharp = _pair(height, width, channels)
        expected = published.ms_ssim(restored[0], sharp[0])
        got = _ms_ssim(restored, sharp)
        np.testing.assert_allclose(got, [expected], atol=1e-5)

    def test_gradient_equals_finite_differences_of_scikit_image(self):
        restored, sharp = _pair(161, 161, 1)
        got = jax.jit(jax.grad(lambda x: similarity.ms_ssim(x, sharp)[0]))(restored)
        got = np.asarray(got)[0, ..., 0]
        steepest = np.unravel_index(np.abs(got).argmax(), got.shape)
        for place in (steepest, (0, 0), (160, 77), (80, 81), (33, 160)):
            step = np.zeros_like(restored[0], np.float64)
            step[place] = 1e-4
            above, below = (
                published.ms_ssim(restored[0] + sign * step, sharp[0])
                for sign in (1, -1)
            )
            np.testing.assert_allclose(
                got[place], (above - below) / 2e-4, atol=1e-3 * np.abs(got).max()
            )

    def test_inverted_picture_scores_zero(self):
        _, sharp = _pair(176, 176)
        self.assertEqual(published.ms_ssim(1 - sharp[0], sharp[0]), 0)
        np.testing.assert_array_equal(_ms_ssim(1 - sharp, sharp), 0)

    def test_weights_of_fewer_scales_sum_to_one(self):
        restored, sharp = _pair(48, 48)
        scales = similarity.scales_for(48, 48)
        self.assertEqual(scales, 3)
        expected = published.ms_ssim(restored[0], sharp[0], scales)
        got = _ms_ssim(restored, sharp, scales=scales)
        np.testing.assert_allclose(got, [expected], atol=1e-5)

    @parameterized.parameters((160, 4), (161, 5), (2000, 5), (11, 1), (10, 0))
    def test_scales_for_a_size(self, side, scales):
        self.assertEqual(similarity.scales_for(side, 3000), scales)

    @parameterized.parameters((5, "5 scales.*32x40.*has to be 161"), (7, "from 1 to 5"))
    def test_too_many_scales_are_a_user_error(self, scales, message):
        with self.assertRaisesRegex(UserError, message):
            similarity.ms_ssim(*_pair(40, 32), scales=scales)


class GradientTest(parameterized.TestCase):
    @parameterized.product(
        score=(similarity.ssim, lambda a, b: similarity.ms_ssim(a, b, scales=2)),
        flat=(True, False),
        other=("same", "flat", "reversed"),
    )
    @pytest.mark.slow
    def test_gradient_is_finite_where_variances_vanish(self, score, flat, other):
        _, sharp = _pair(32, 32)
        sharp = np.full_like(sharp, 0.7) if flat else sharp
        target = {
            "same": sharp,
            "flat": np.full_like(sharp, 0.2),
            "reversed": 1 - sharp,
        }
        value, slope = jax.value_and_grad(lambda x: score(x, target[other]).sum())(
            sharp
        )
        self.assertTrue(np.isfinite(value))
        self.assertTrue(np.isfinite(slope).all())
        if other == "same":
            self.assertAlmostEqual(float(value), 1, places=5)
            np.testing.assert_allclose(slope, 0, atol=1e-4)


if __name__ == "__main__":
    absltest.main()
