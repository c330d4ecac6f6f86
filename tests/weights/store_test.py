"""Saving and loading weights, and errors for weights that do not fit."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest
from absl.testing import absltest
from safetensors.numpy import load_file, save_file

from kdsharp import models
from kdsharp.errors import UserError
from kdsharp.weights import store

_MODEL = {"name": "dncnn", "depth": 4, "width": 8, "norm_after": [2]}


def _variables() -> dict:
    variables = models.create(**_MODEL).init(jax.random.key(0), np.zeros((1, 8, 8, 3)))
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda x: rng.normal(size=x.shape).astype(x.dtype), variables)


def _pages() -> np.ndarray:
    """Pictures of black text on white, and of white text on black."""
    from PIL import Image, ImageDraw, ImageFont

    page = Image.new("RGB", (160, 96), "white")
    for size, top in ((10, 0), (16, 14), (24, 34), (32, 62)):
        font = ImageFont.load_default(size)
        ImageDraw.Draw(page).text((3, top), "Power 2002 mE%", "black", font)
    pixels = np.asarray(page) / np.float32(255)
    return np.stack([pixels, 1 - pixels])


class StoreTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(self.create_tempdir().full_path)
        self.path = self.folder / "net.safetensors"
        store.save(self.path, _variables(), {"model": _MODEL, "data": "embedded"})

    def _retouch(self, change) -> None:
        tensors = load_file(self.path)
        change(tensors)
        save_file(tensors, self.path)

    def test_round_trip_is_bit_identical(self):
        weights = store.load(str(self.path))
        self.assertEqual(weights.card["data"], "embedded")
        for kept, got in zip(
            jax.tree.leaves(_variables()),
            jax.tree.leaves(weights.variables),
            strict=True,
        ):
            np.testing.assert_array_equal(got, kept)

    def test_file_is_readable_by_safetensors(self):
        kernel = load_file(self.path)["params/conv1/kernel"]
        np.testing.assert_array_equal(kernel, _variables()["params"]["conv1"]["kernel"])

    def test_folder_with_one_file_is_loaded(self):
        self.assertEqual(store.locate(str(self.folder)), self.path)

    def test_folder_without_weights_is_a_user_error(self):
        empty = self.folder / "empty"
        empty.mkdir()
        with self.assertRaisesRegex(UserError, "holds no weights"):
            store.load(str(empty))

    def test_unknown_name_lists_the_shipped_weights(self):
        with self.assertRaisesRegex(
            UserError, "no weights 'dncnn99'.*dncnn17-bicubic2"
        ):
            store.load("dncnn99")

    def test_missing_card_is_a_user_error(self):
        self.path.with_suffix(".json").unlink()
        with self.assertRaisesRegex(UserError, "needs its card net.json"):
            store.load(str(self.path))

    def test_invalid_card_is_a_user_error(self):
        self.path.with_suffix(".json").write_text("{")
        with self.assertRaisesRegex(UserError, "needs its card net.json"):
            store.load(str(self.path))

    def test_damaged_file_is_a_user_error(self):
        self.path.write_bytes(self.path.read_bytes()[:100])
        with self.assertRaisesRegex(UserError, "is damaged"):
            store.load(str(self.path))

    def test_tensor_of_another_shape_is_a_user_error(self):
        def change(tensors):
            tensors["params/conv3/bias"] = np.zeros(9, np.float32)

        self._retouch(change)
        with self.assertRaisesRegex(
            UserError, r"tensor params/conv3/bias is \(9,\), not \(8,\)$"
        ):
            store.load(str(self.path))

    def test_missing_and_unknown_tensors_are_user_errors(self):
        self._retouch(lambda tensors: tensors.pop("params/conv1/kernel"))
        with self.assertRaisesRegex(UserError, "tensor params/conv1/kernel is missing"):
            store.load(str(self.path))
        store.save(self.path, _variables(), {"model": _MODEL})
        self._retouch(lambda tensors: tensors.update(extra=np.zeros(1, np.float32)))
        with self.assertRaisesRegex(UserError, "tensor extra is unknown"):
            store.load(str(self.path))

    def test_no_unfinished_files_are_left(self):
        self.assertEqual(
            {p.name for p in self.folder.iterdir()}, {"net.safetensors", "net.json"}
        )


class ShippedTest(absltest.TestCase):
    def test_every_card_is_complete(self):
        self.assertNotEmpty(store.shipped())
        for name in store.shipped():
            card = json.loads(store.locate(name).with_suffix(".json").read_text())
            for entry in (
                "model",
                "degradation",
                "data",
                "data_licence",
                "licence",
                "recipe",
                "scores",
            ):
                self.assertIn(entry, card, name)

    def test_every_shipped_network_sharpens(self):
        import skimage.data

        from kdsharp.core import color, degradations, metrics

        picture = skimage.data.astronaut()[None, 80:208, 160:288] / np.float32(255)
        for name in store.shipped():
            weights = store.load(name)
            store.check(store.locate(name), weights)
            luma = weights.card["model"]["channels"] == 1
            sharp = color.luma(picture) if luma else picture
            degrade = degradations.create(weights.card["degradation"])
            blurred = degrade(jax.random.split(jax.random.key(0), 1), sharp)
            restored = blurred + weights.model.apply(weights.variables, blurred)
            gain = metrics.psnr(restored, sharp) - metrics.psnr(blurred, sharp)
            self.assertGreater(float(gain[0]), 1.0, name)

    @pytest.mark.slow
    def test_no_shipped_network_damages_text(self):
        from kdsharp.core import color, degradations, metrics

        pages = _pages()
        for name in store.shipped():
            weights = store.load(name)
            card = weights.card
            sharp = color.luma(pages) if card["model"]["channels"] == 1 else pages
            degrade = degradations.create(card["degradation"].partition("@")[0])
            blurred = degrade(jax.random.split(jax.random.key(0), 2), sharp)
            restored = blurred + weights.model.apply(weights.variables, blurred)
            gains = metrics.psnr(restored.clip(0, 1), sharp) - metrics.psnr(
                blurred, sharp
            )
            # The networks were not trained on text, and half of the blur is mild.
            least = 3 if card["degradation"].startswith("bicubic:2") else 0
            self.assertGreater(float(gains.min()), least, name)


if __name__ == "__main__":
    absltest.main()
