"""Structural similarity against scikit-image and pytorch-msssim."""

import unittest

import jax
import jax.numpy as jnp
import numpy as np
import skimage.data
import skimage.metrics
from absl.testing import absltest, parameterized

from kdsharp.core import similarity
from kdsharp.errors import UserError

try:
    import pytorch_msssim
    import torch
except ImportError:
    pytorch_msssim = torch = None


def _pair(height: int, width: int, channels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    sharp = skimage.data.astronaut()[60:, 90:][:height, :width, :channels]
    sharp = sharp / np.float32(255)
    noise = np.random.default_rng(0).normal(scale=0.05, size=sharp.shape)
    return (sharp + noise).astype(np.float32)[None], sharp[None]


def _to_torch(pictures: np.ndarray) -> "torch.Tensor":
    return torch.from_numpy(pictures.transpose(0, 3, 1, 2).copy())


# One program is sooner ready than its operations one by one.
_ms_ssim = jax.jit(similarity.ms_ssim, static_argnames="scales")

_with_torch = unittest.skipIf(torch is None, "pytorch-msssim is not installed")


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

    @_with_torch
    def test_each_picture_of_a_batch_has_its_own_score(self):
        restored, sharp = _pair(40, 40)
        batch = np.concatenate([restored, sharp * 0.5, sharp])
        expected = pytorch_msssim.ssim(
            _to_torch(batch),
            _to_torch(np.repeat(sharp, 3, 0)),
            data_range=1,
            size_average=False,
        )
        got = similarity.ssim(batch, np.repeat(sharp, 3, 0))
        np.testing.assert_allclose(got, expected, atol=1e-4)

    def test_bfloat16_keeps_its_variances(self):
        restored, sharp = (jnp.bfloat16(x) for x in _pair(64, 64))
        expected = similarity.ssim(np.float32(restored), np.float32(sharp))
        np.testing.assert_allclose(similarity.ssim(restored, sharp), expected)

    def test_too_small_a_picture_gets_a_sentence(self):
        with self.assertRaisesRegex(UserError, "11x11 pixels or more; these are 20x10"):
            similarity.ssim(np.zeros((1, 10, 20, 3)), np.zeros((1, 10, 20, 3)))

    def test_an_unknown_window_gets_a_sentence(self):
        with self.assertRaisesRegex(UserError, "'box'; there are: gaussian, uniform"):
            similarity.ssim(*_pair(32, 32), window="box")


class MultiScaleTest(parameterized.TestCase):
    @parameterized.parameters((161, 170, 3), (176, 163, 1))
    @_with_torch
    def test_equals_pytorch_msssim(self, height, width, channels):
        restored, sharp = _pair(height, width, channels)
        expected = pytorch_msssim.ms_ssim(
            _to_torch(restored), _to_torch(sharp), data_range=1, size_average=False
        )
        got = _ms_ssim(restored, sharp)
        np.testing.assert_allclose(got, expected, atol=1e-5)

    @_with_torch
    def test_the_gradient_equals_pytorch_msssim(self):
        restored, sharp = _pair(161, 161, 1)
        mutable = _to_torch(restored).requires_grad_()
        pytorch_msssim.ms_ssim(mutable, _to_torch(sharp), data_range=1).backward()
        expected = mutable.grad.numpy().transpose(0, 2, 3, 1)
        got = jax.jit(jax.grad(lambda x: similarity.ms_ssim(x, sharp)[0]))(restored)
        np.testing.assert_allclose(got, expected, atol=1e-3 * np.abs(expected).max())

    @_with_torch
    def test_what_is_reversed_scores_zero(self):
        _, sharp = _pair(176, 176)
        pair = _to_torch(1 - sharp), _to_torch(sharp)
        self.assertEqual(pytorch_msssim.ms_ssim(*pair, data_range=1), 0)
        np.testing.assert_array_equal(_ms_ssim(1 - sharp, sharp), 0)

    @_with_torch
    def test_fewer_scales_share_all_the_weight(self):
        restored, sharp = _pair(48, 48)
        weights = np.array([0.0448, 0.2856, 0.3001])
        # pytorch-msssim refuses such sides; the parts that it does not show do not.
        inside = pytorch_msssim.ssim.__globals__
        terms = []
        pair = [_to_torch(restored), _to_torch(sharp)]
        window = inside["_fspecial_gauss_1d"](11, 1.5)
        window = window.repeat(3, 1, 1, 1)
        for _ in weights:
            compared = inside["_ssim"](*pair, 1, window)
            terms.append(np.stack(compared))
            pair = [torch.nn.functional.avg_pool2d(x, 2) for x in pair]
        values = np.stack([terms[0][1], terms[1][1], terms[2][0]])
        expected = np.prod(values ** (weights / weights.sum())[:, None, None], 0)
        scales = similarity.scales_for(48, 48)
        self.assertEqual(scales, 3)
        got = _ms_ssim(restored, sharp, scales=scales)
        np.testing.assert_allclose(got, expected.mean(-1), atol=1e-5)

    @parameterized.parameters((160, 4), (161, 5), (2000, 5), (11, 1), (10, 0))
    def test_says_how_many_scales_fit(self, side, scales):
        self.assertEqual(similarity.scales_for(side, 3000), scales)

    @parameterized.parameters((5, "5 scales.*32x40.*has to be 161"), (7, "from 1 to 5"))
    def test_too_many_scales_get_a_sentence(self, scales, message):
        with self.assertRaisesRegex(UserError, message):
            similarity.ms_ssim(*_pair(40, 32), scales=scales)


class GradientTest(parameterized.TestCase):
    @parameterized.product(
        score=(similarity.ssim, lambda a, b: similarity.ms_ssim(a, b, scales=2)),
        flat=(True, False),
        other=("same", "flat", "reversed"),
    )
    def test_is_finite_where_variances_vanish(self, score, flat, other):
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
