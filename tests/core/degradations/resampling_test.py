"""Resampling against Pillow."""

import jax
import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from kdsharp.core import degradations
from tests.core.degradations.photographs import as_float, crops

_PILLOW = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "area": Image.Resampling.BOX,
    "lanczos": Image.Resampling.LANCZOS,
}
_BICUBIC = _PILLOW["bicubic"]


def _by_pillow(picture: np.ndarray, factor: float, filter: str) -> np.ndarray:
    height, width = picture.shape[:2]
    small = max(1, round(width / factor)), max(1, round(height / factor))
    image = Image.fromarray(picture.squeeze())
    image = image.resize(small, _PILLOW[filter]).resize(
        (width, height), _PILLOW[filter]
    )
    return np.asarray(image).reshape(picture.shape)


def _levels(picture) -> np.ndarray:
    return np.asarray(picture) * 255


class ResamplingTest(parameterized.TestCase):
    def test_every_filter_is_tested(self):
        self.assertSameElements(_PILLOW, degradations.FILTERS)

    @parameterized.product(filter=list(_PILLOW), factor=(2, 3.7))
    def test_fixed_factor_equals_pillow_in_every_pixel(self, filter, factor):
        pictures = crops(2)
        degrade = degradations.create(f"{filter}:{factor}")
        got = degrade(jax.random.split(jax.random.key(0), 2), as_float(pictures))
        for picture, ours in zip(pictures, _levels(got), strict=True):
            wanted = _by_pillow(picture, factor, filter)
            np.testing.assert_allclose(ours, wanted, atol=1e-3)

    @parameterized.parameters(
        "bicubic:2,exact=1", "bicubic:2.5-3.5,exact=1", "down:2+up:exact=1"
    )
    def test_exact_rounds_only_the_small_picture_to_8_bits(self, spec):
        pictures = crops(2)
        degrade = degradations.create(spec)
        keys = jax.random.split(jax.random.key(0), 2)
        parameters = degrade.draw(keys)
        factors = np.asarray(parameters.get("bicubic.factor", (2, 2)))
        got = _levels(degrade(keys, as_float(pictures)))
        for picture, factor, ours in zip(pictures, factors, got, strict=True):
            size = picture.shape[1::-1]
            small = [max(1, round(side / factor)) for side in size]
            small = np.asarray(Image.fromarray(picture).resize(small, _BICUBIC))
            wanted = [
                # Pictures of mode F hold floating-point numbers.
                Image.fromarray(plane).resize(size, _BICUBIC)
                for plane in np.moveaxis(small.astype(np.float32), -1, 0)
            ]
            wanted = np.clip(np.stack(wanted, -1), 0, 255)
            # With a sampled factor, the small picture differs from Pillow's slightly.
            atol = 0.02 if factor == 2 else 1.5
            np.testing.assert_allclose(ours, wanted, atol=atol)
            self.assertGreater(np.abs(ours - np.round(ours)).mean(), 0.2)

    def test_one_channel_and_a_factor_larger_than_the_picture(self):
        pictures = crops(1, 7, 5, channels=1)
        got = degradations.create("bicubic:9")(
            jax.random.split(jax.random.key(0), 1), as_float(pictures)
        )
        wanted = _by_pillow(pictures[0], 9, "bicubic")
        np.testing.assert_allclose(_levels(got)[0], wanted, atol=1e-3)

    def test_resize_equals_pillow(self):
        picture, height, width = crops(1), 120, 140
        got = degradations.resize(as_float(picture), height, width, "lanczos")[0]
        image = Image.fromarray(picture[0]).resize((width, height), _PILLOW["lanczos"])
        np.testing.assert_allclose(_levels(got), np.asarray(image), atol=1e-3)

    # At the edge of a filter's support Pillow's rounding decides; for the box filter
    # pixels often lie there.
    @parameterized.parameters(
        ("bicubic", 2, 0.002), ("bilinear", 1, 0.005), ("lanczos", 2, 0.002),
        ("area", 255, 0.05),
    )  # fmt: skip
    def test_sampled_factor_is_close_to_pillow(self, filter, most, share):
        pictures = crops(8)
        degrade = degradations.create(f"{filter}:1-4")
        parameters = degrade.draw(jax.random.split(jax.random.key(0), len(pictures)))
        got = _levels(degrade.apply(parameters, as_float(pictures)))
        factors = np.asarray(parameters[f"{filter}.factor"])
        wanted = [
            _by_pillow(picture, factor, filter)
            for picture, factor in zip(pictures, factors, strict=True)
        ]
        difference = np.abs(got - np.stack(wanted))
        self.assertLess(difference.max(), most + 0.5)
        self.assertLess((difference > 0.5).mean(), share)


if __name__ == "__main__":
    absltest.main()
