"""Sharpening arrays and Pillow images with an included network."""

import dataclasses
import functools

import jax.numpy as jnp
import numpy as np
import skimage.data
import skimage.filters
from absl.testing import absltest, parameterized
from PIL import Image

import kdsharp
from kdsharp.errors import UserError
from kdsharp.runtime import backends, options, restore
from kdsharp.weights import store

_NAME = "rt-s-bicubic2"


@functools.cache
def _sharpener() -> restore.Sharpener:
    return kdsharp.load(_NAME)


@functools.cache
def _photograph() -> np.ndarray:
    return np.ascontiguousarray(skimage.data.astronaut()[100:180, 180:250])


def _in_tiles() -> restore.Sharpener:
    sharpener = _sharpener()
    network = dataclasses.replace(sharpener.network, side=48)
    return dataclasses.replace(sharpener, network=network)


def _by_hand(rgb: np.ndarray) -> np.ndarray:
    """Restores RGB in [0, 1] with the Flax module alone."""
    weights = store.load(_NAME)
    blurred = rgb.astype(np.float32)
    luma = blurred @ np.array([[0.299], [0.587], [0.114]], np.float32)
    residual = weights.model.apply(weights.variables, jnp.asarray(luma[None]))[0]
    return np.clip(blurred + residual, 0, 1)


class TypeTest(parameterized.TestCase):
    @parameterized.product(
        channels=(0, 1, 2, 3, 4),
        dtype=(np.uint8, np.uint16, np.float16, np.float32, np.float64),
    )
    def test_result_has_the_same_shape_and_type(self, channels, dtype):
        shape = (21, 18, channels) if channels else (21, 18)
        picture = np.random.default_rng(0).random(shape)
        if np.issubdtype(dtype, np.integer):
            picture *= np.iinfo(dtype).max
        picture = picture.astype(dtype)
        before = picture.copy()
        sharp = _sharpener()(picture)
        self.assertEqual((sharp.shape, sharp.dtype), (shape, dtype))
        np.testing.assert_array_equal(picture, before)
        if channels in (2, 4):
            np.testing.assert_array_equal(sharp[..., -1], picture[..., -1])
            sharp, picture = sharp[..., :-1], picture[..., :-1]
        self.assertGreater((sharp != picture).mean(), 0.5)

    @parameterized.parameters("L", "LA", "RGB", "RGBA", "I;16", "F", "P", "1", "YCbCr")
    def test_images_keep_their_mode(self, mode):
        image = Image.fromarray(_photograph())
        if mode == "I;16":
            grey = np.asarray(image.convert("L")).astype(np.uint16) * 257
            image = Image.fromarray(grey)
        elif mode == "F":
            image = Image.fromarray(np.asarray(image.convert("L"), np.float32) / 255)
        else:
            image = image.convert(mode)
        image.info["dpi"] = (300, 300)
        sharp = _sharpener()(image)
        kept = {"P": "RGB", "1": "L", "YCbCr": "RGB"}.get(mode, mode)
        self.assertEqual((sharp.mode, sharp.size), (kept, image.size))
        self.assertEqual(sharp.info["dpi"], (300, 300))

    def test_16_bit_precision_is_kept(self):
        deep = _photograph().astype(np.uint16) * 257
        deep[::2] += 100
        deep = np.minimum(deep, 65000)
        wanted = _by_hand(deep / 65535) * 65535
        np.testing.assert_allclose(_sharpener()(deep), wanted, atol=0.6)

    @parameterized.parameters(
        (np.zeros(5, np.uint8), "not a picture"),
        (np.zeros((4, 4, 5), np.uint8), "not a picture"),
        (np.zeros((0, 4, 3), np.uint8), "no pixels"),
        (np.zeros((4, 4), np.int64), "int64"),
        (np.full((4, 4), 255.0), "must be in \\[0, 1\\]"),
        (np.full((4, 4), np.nan), "must be in \\[0, 1\\]"),
        (Image.new("CMYK", (4, 4)), "for print"),
    )
    def test_refuses_arrays_that_are_not_pictures(self, picture, words):
        with self.assertRaisesRegex(UserError, words):
            _sharpener()(picture)


class SharpeningTest(parameterized.TestCase):
    def test_matches_the_network(self):
        picture = _photograph()
        wanted = _by_hand(picture / 255)
        np.testing.assert_allclose(
            _sharpener()(picture / 255), wanted, atol=1e-6, rtol=0
        )
        difference = np.abs(_sharpener()(picture) - wanted * 255)
        self.assertLess(difference.max(), 0.5 + 1e-3)

    def test_luma_networks_leave_chroma_unchanged(self):
        picture = 0.25 + _photograph() / 510
        change = _sharpener()(picture) - picture
        self.assertGreater(np.abs(change).max(), 0.01)
        np.testing.assert_allclose(np.ptp(change, axis=-1), 0, atol=1e-6)

    def test_strength_scales_the_residual(self):
        picture = _photograph()
        np.testing.assert_array_equal(_sharpener()(picture, strength=0), picture)
        picture = 0.25 + picture / 510
        full = _sharpener()(picture) - picture
        for strength in (0.5, 1.5):
            part = _sharpener()(picture, strength=strength) - picture
            np.testing.assert_allclose(part, strength * full, atol=1e-6)

    @parameterized.parameters(-0.1, 1.6, float("nan"))
    def test_refuses_a_strength_out_of_range(self, strength):
        with self.assertRaisesRegex(UserError, "strength"):
            _sharpener()(_photograph(), strength=strength)

    def test_unsharp_matches_scikit_image(self):
        grey = 0.25 + _photograph()[..., 1] / 510
        for strength in (0, 1):
            sharp = _sharpener()(grey, strength=strength)
            wanted = skimage.filters.unsharp_mask(sharp, radius=1, amount=0.7)
            found = _sharpener()(grey, strength=strength, unsharp=0.7)
            np.testing.assert_allclose(found, wanted, atol=1e-5)
        with self.assertRaisesRegex(UserError, "unsharp"):
            _sharpener()(grey, unsharp=-1)

    @parameterized.product(channels=(1, 3, 4), unsharp=(0, 0.5))
    def test_tiles_join_without_seams(self, channels, unsharp):
        picture = np.tile(_photograph(), (2, 2, 1))
        picture = np.dstack([picture, picture[..., 0] // 128 * 255])[..., :channels]
        told = []
        whole = _sharpener()(picture, unsharp=unsharp)
        cut = _in_tiles()(picture, unsharp=unsharp, progress=told.append)
        np.testing.assert_array_equal(cut, whole)
        self.assertGreater(len(told), 1)
        self.assertEqual(told[-1], 1)
        exact = _sharpener()(picture / 255, unsharp=unsharp)
        np.testing.assert_allclose(
            _in_tiles()(picture / 255, unsharp=unsharp), exact, atol=1e-6
        )

    def test_progress_is_reported_for_images(self):
        image = Image.fromarray(np.tile(_photograph(), (2, 2, 1)))
        told = []
        _in_tiles()(image, progress=told.append)
        self.assertGreater(len(told), 1)
        self.assertEqual(told[-1], 1)
        told.clear()
        _sharpener()(image, strength=0, progress=told.append)
        self.assertEqual(told, [1])

    @parameterized.parameters((1, 1), (1, 40), (3, 2))
    def test_sharpens_the_smallest_pictures(self, height, width):
        picture = _photograph()[:height, :width] / 255
        np.testing.assert_allclose(_sharpener()(picture), _by_hand(picture), atol=1e-6)


class TransparencyTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.picture = np.full((60, 60, 4), 255, np.uint8)
        self.picture[..., :3] = (200, 120, 40)
        self.picture[20:40, 20:40, 3] = 0

    def test_hidden_colours_do_not_bleed(self):
        results = []
        for hidden in (0, 255):
            self.picture[20:40, 20:40, :3] = hidden
            results.append(_sharpener()(self.picture))
            np.testing.assert_array_equal(
                results[-1][20:40, 20:40], self.picture[20:40, 20:40]
            )
        visible = self.picture[..., 3] > 0
        np.testing.assert_array_equal(results[0][visible], results[1][visible])
        # The picture is flat, so only a bleeding edge could change it much.
        change = results[0][visible].astype(int) - self.picture[visible]
        self.assertLessEqual(np.abs(change).max(), 2)

    def test_fully_transparent_pictures_are_unchanged(self):
        self.picture[..., 3] = 0
        np.testing.assert_array_equal(_sharpener()(self.picture), self.picture)


class LoadTest(absltest.TestCase):
    def test_unknown_names_are_refused(self):
        for arguments, words in (
            ({"name": "nothing"}, "no weights 'nothing'"),
            ({"name": _NAME, "backend": "abacus"}, "unknown backend 'abacus'"),
            ({"name": _NAME, "dtype": "int3"}, "unknown dtype 'int3'"),
            ({"name": _NAME, "threads": -1}, "threads must be at least 0, not -1"),
        ):
            with self.assertRaisesRegex(UserError, words):
                kdsharp.load(**arguments)

    def test_options_are_validated_on_creation(self):
        for arguments, words in (
            ({"strength": 2}, "strength 2 is out of range"),
            ({"strength": float("nan")}, "strength nan is out of range"),
            ({"unsharp": -1}, "unsharp -1 is out of range"),
            ({"size": (0, 9)}, "size 0x9 has no pixels"),
            ({"backend": "abacus"}, "unknown backend 'abacus'"),
            ({"dtype": "int3"}, "unknown dtype 'int3'"),
            ({"backend": "jax", "dtype": "int8"}, "does not compute in int8"),
            ({"threads": -1}, "threads must be at least 0, not -1"),
        ):
            with self.assertRaisesRegex(UserError, words):
                options.RestoreOptions(**arguments)

    def test_has_a_default_network(self):
        self.assertIn(kdsharp.load().name, store.shipped())

    def test_bfloat16_is_close_to_float32(self):
        # Other backends support it only on some processors.
        sharpener = kdsharp.load(_NAME, backend="jax", dtype="bfloat16")
        picture = _photograph()
        difference = sharpener(picture).astype(int) - _sharpener()(picture)
        self.assertLess(np.abs(difference).mean(), 0.5)
        self.assertTrue(difference.any())

    def test_has_name_and_card(self):
        network = backends.create(store.load(_NAME))
        self.assertEqual(network.channels, 1)
        self.assertEqual(network.multiple, 2)


if __name__ == "__main__":
    absltest.main()
