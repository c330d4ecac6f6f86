"""Imported networks, against PyTorch."""

import json
from pathlib import Path

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from kdsharp import models
from kdsharp.errors import UserError
from kdsharp.weights import features, fold, store, torch_import
from tests.models import fast

try:
    import torch
except ImportError:
    torch = None
else:
    from tests.weights import torch_networks


def setUpModule():
    if torch is None:
        raise absltest.SkipTest("PyTorch is not installed")
    torch.manual_seed(0)


def pictures(height: int, width: int, channels: int = 3) -> np.ndarray:
    shape = (2, height, width, channels)
    return np.random.default_rng(0).random(shape, np.float32)


def run_torch(network, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        y = network(torch.from_numpy(x).permute(0, 3, 1, 2))
    return y.permute(0, 2, 3, 1).numpy()


def run_torch_padded(network, x: np.ndarray, multiple: int) -> np.ndarray:
    """Pads to a multiple, runs and crops, as in SwinIR's own test script."""
    x = torch.from_numpy(x)
    h, w = x.shape[1:3]
    x = torch.cat([x, x.flip(1)], 1)[:, : h + -h % multiple]
    x = torch.cat([x, x.flip(2)], 2)[:, :, : w + -w % multiple]
    return run_torch(network, x.numpy())[:, :h, :w]


def run_flax(arch: str, arguments: dict, variables: dict, x: np.ndarray):
    network = models.create(arch, **arguments)
    return x + np.asarray(fast.jit(network.apply)(variables, x))


class Files(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(self.create_tempdir().full_path)

    def save(self, state, name: str = "net.pth") -> Path:
        torch.save(state, self.folder / name)
        return self.folder / name

    def network(self):
        return torch_networks.randomize(
            torch_networks.DnCNN("model", 4, 6, 3, norm=True)
        )


class ParityTest(Files):
    @parameterized.product(
        layout=("kair", "kair merged", "cszn"),
        size=((20, 24), (19, 7)),
        channels=(1, 3),
    )
    def test_dncnn_equals_pytorch(self, layout, size, channels):
        network = torch_networks.randomize(
            torch_networks.DnCNN(
                "dncnn" if layout == "cszn" else "model",
                depth=5,
                width=12,
                channels=channels,
                norm=layout != "kair merged",
                bias=layout != "cszn",
            )
        )
        if layout == "cszn":
            network.dncnn[0].bias.data.uniform_(-0.2, 0.2)
        file = self.save(network.state_dict())
        variables, arguments = torch_import.import_torch("dncnn", file)
        self.assertEqual(
            arguments,
            {
                "depth": 5,
                "width": 12,
                "channels": channels,
                "norm_after": () if layout == "kair merged" else "inner",
            },
        )
        x = pictures(*size, channels)
        np.testing.assert_allclose(
            run_flax("dncnn", arguments, variables, x), run_torch(network, x), atol=1e-5
        )
        folded, rest = fold.fold({"name": "dncnn", **arguments}, variables)
        del folded["name"]
        np.testing.assert_allclose(
            run_flax("dncnn", folded, rest, x), run_torch(network, x), atol=1e-5
        )

    @parameterized.parameters(
        dict(window=4, heads=(2, 3), depths=(2, 3), channels=3, size=(16, 24)),
        dict(window=8, heads=(2, 2), depths=(2, 2), channels=3, size=(17, 30)),
        dict(window=8, heads=(2,), depths=(2,), channels=1, size=(5, 6)),
        dict(window=7, heads=(3,), depths=(2,), channels=1, size=(15, 14), scale=255.0),
    )
    def test_swinir_equals_pytorch(
        self, window, heads, depths, channels, size, scale=1.0
    ):
        network = torch_networks.randomize(
            torch_networks.SwinIR(depths, 12, heads, window, 2, channels, scale)
        )
        state = {"params": network.state_dict()}
        variables, arguments = torch_import.import_torch(
            "swinir", self.save(state), img_range=scale
        )
        self.assertEqual(arguments["depths"], depths)
        self.assertEqual(arguments["heads"], heads)
        self.assertEqual(arguments["window"], window)
        x = pictures(*size, channels)
        wanted = run_torch_padded(network, x, window)
        self.assertGreater(np.abs(wanted - x).max(), 0.01 / scale)
        np.testing.assert_allclose(
            run_flax("swinir", arguments, variables, x), wanted, atol=1e-5
        )

    @parameterized.parameters((16, 24), (13, 22))
    @pytest.mark.slow
    def test_unet_equals_pytorch(self, *size):
        network = torch_networks.randomize(torch_networks.UNet((6, 10, 14)))
        variables, arguments = torch_import.import_torch(
            "unet", self.save(network.state_dict())
        )
        self.assertEqual(arguments, {"widths": (6, 10, 14), "channels": 3})
        x = pictures(*size)
        wanted = run_torch_padded(network, x, 4)
        found = run_flax("unet", arguments, variables, x)
        np.testing.assert_allclose(found, wanted, atol=2e-5)
        folded, rest = fold.fold({"name": "unet", **arguments}, variables)
        del folded["name"]
        found = run_flax("unet", folded, rest, x)
        np.testing.assert_allclose(found, wanted, atol=2e-5)

    @parameterized.parameters((16, 24), (13, 22))
    def test_vgg16_equals_pytorch(self, *size):
        network = torch_networks.randomize(torch_networks.VGG16())
        file = self.save(network.state_dict())
        x = pictures(*size)
        wanted = run_torch(network, x)
        model, variables = features.load_vgg16(file)
        found = fast.jit(model.apply)(variables, x)
        np.testing.assert_allclose(found, wanted, atol=1e-5)

        to = self.folder / "vgg16.safetensors"
        torch_import.convert("vgg16", file, to, source="random")
        model, variables = features.load_vgg16(to)
        found = fast.jit(model.apply)(variables, x)
        np.testing.assert_allclose(found, wanted, atol=1e-5)

    def test_parameter_counts_equal_the_published_ones(self):
        for depths, width, heads, count in (
            ((6,) * 6, 180, (6,) * 6, 11_504_163),
            ((6,) * 4, 60, (6,) * 4, 905_283),
        ):
            network = torch_networks.SwinIR(depths, width, heads, 8, 2, 3)
            parameters = sum(p.numel() for p in network.parameters())
            self.assertEqual(parameters, count)


class ConvertTest(Files):
    def test_converted_weights_load_and_equal_pytorch(self):
        network = self.network()
        file = self.save({"state_dict": network.state_dict()})
        to = self.folder / "imported.safetensors"
        card = torch_import.convert("dncnn", file, to, source="drawn at random")
        self.assertEqual(card, json.loads(to.with_suffix(".json").read_text()))
        self.assertEqual(card["source"]["from"], "drawn at random")
        self.assertLen(card["source"]["sha256"], 64)
        weights = store.load(str(to))
        x = pictures(9, 11)
        np.testing.assert_allclose(
            x + fast.jit(weights.model.apply)(weights.variables, x),
            run_torch(network, x),
            atol=1e-5,
        )

    @parameterized.parameters("params", "params_ema", "model_state_dict", "model")
    def test_tensors_are_found_in_checkpoints(self, key):
        state = {f"module.{k}": v for k, v in self.network().state_dict().items()}
        file = self.save({"epoch": 3, key: state, "optimizer": {"lr": 0.1}})
        _, arguments = torch_import.import_torch("dncnn", file)
        self.assertEqual(arguments["depth"], 4)


class RefusalTest(Files):
    def assert_refused(self, words: str, state, arch: str = "dncnn"):
        file = self.save(state)
        with self.assertRaisesRegex(UserError, words) as caught:
            torch_import.import_torch(arch, file)
        self.assertNotIn("\n", str(caught.exception))

    def test_missing_tensor(self):
        state = self.network().state_dict()
        del state["model.2.weight"]
        self.assert_refused(r"model\.2\.weight is missing$", state)

    def test_unexpected_tensors(self):
        state = self.network().state_dict()
        state |= {f"extra.{i}": torch.zeros(1) for i in range(6)}
        self.assert_refused(
            r"extra\.0 is unexpected, .*extra\.3 is unexpected, and 2 more$", state
        )

    def test_tensor_of_another_shape(self):
        state = self.network().state_dict()
        state["model.5.weight"] = torch.zeros(6, 6, 5, 5)
        self.assert_refused(
            r"model\.5\.weight is \(6, 6, 5, 5\), not \(6, 6, 3, 3\)$", state
        )

    def test_gap_between_layers(self):
        state = self.network().state_dict()
        for name in list(state):
            if name.startswith(("model.2.", "model.3.")):
                del state[name]
        self.assert_refused("between model.0 and model.5", state)

    def test_upscaling_network(self):
        network = torch_networks.SwinIR((2,), 12, (2,), 4, 2, 3)
        state = network.state_dict() | {"upsample.0.weight": torch.zeros(4)}
        self.assert_refused("upscales", state, "swinir")

    def test_unknown_architecture(self):
        self.assert_refused(
            "conv_first.weight is missing; the file has: model.0.weight",
            self.network().state_dict(),
            "swinir",
        )
        self.assert_refused("unknown|imported", {}, "resnet")

    def test_arguments_that_contradict_the_tensors(self):
        file = self.save(self.network().state_dict())
        with self.assertRaisesRegex(UserError, "its tensors do not match .*'depth': 9"):
            torch_import.import_torch("dncnn", file, depth=9)
        with self.assertRaisesRegex(UserError, "no argument 'img_range'"):
            torch_import.import_torch("dncnn", file, img_range=255.0)

    def test_pickled_module(self):
        self.assert_refused(r"wants to run .*state_dict\(\)", self.network())

    def test_number_instead_of_tensors(self):
        self.assert_refused("holds a int instead of named tensors", 3)

    def test_no_tensors(self):
        self.assert_refused("no named tensors.*its entries are: epoch", {"epoch": 1})


if __name__ == "__main__":
    absltest.main()
