"""`kdsharp weights`: describing weights and importing them from PyTorch."""

import json
import os
import pathlib

import numpy as np
import pytest
from absl.testing import absltest, parameterized
from safetensors.numpy import load_file, save_file

from kdsharp.weights import store
from tests.cli.running import run
from tests.models import fast

try:
    import torch
except ImportError:
    torch = None
else:
    from tests.weights import torch_networks

_CARD = {
    "name": "net",
    "model": {"name": "dncnn", "depth": 17, "norm_after": [3, 6]},
    "degradation": "gaussian:2",
    "data": "folder:photographs",
    "licence": "Apache-2.0",
    "data_licence": "my own",
    "steps": 12345,
    "commit": "abc1234",
    "scores": {
        "held-out pictures": {"input": {"psnr": 30.125, "mse": 9.99e-4}},
        "Set5": {"network": 36.77},
    },
}


class _Files(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.out = self.folder / "out/net.safetensors"

    def assert_refused(self, words: str, *arguments):
        status, out, complaints = run("weights", *arguments)
        self.assertEqual((status, out), (2, ""))
        self.assertStartsWith(complaints, "kdsharp: ")
        self.assertRegex(complaints, words)
        self.assertEqual(complaints.count("\n"), 1)


class InfoTest(_Files):
    def _write(self, card: dict) -> pathlib.Path:
        file = self.folder / "net.safetensors"
        tensors = {
            "params/conv1/kernel": np.zeros((3, 3, 3, 100), np.float32),
            "params/conv1/bias": np.zeros(100, np.float32),
            "batch_stats/norm1/mean": np.zeros(7, np.float32),
        }
        save_file(tensors, file)
        file.with_suffix(".json").write_text(json.dumps(card))
        return file

    def test_info_prints_every_entry_of_a_card(self):
        file = self._write(_CARD)
        for name in (file, self.folder):
            status, out, complaints = run("weights", "info", name)
            self.assertEqual((status, complaints), (0, ""))
            for line in (
                "network      dncnn: depth 17, norm_after (3, 6)",
                "parameters   2,800",  # Batch statistics do not count.
                "degradation  gaussian:2",
                "data         folder:photographs",
                "licence      Apache-2.0",
                "data licence my own",
                "trained      12,345 steps, kdsharp abc1234",
                "    input    psnr 30.12, mse 0.000999",
                "    network  36.77",
            ):
                self.assertIn(f"{line}\n", out + "\n")

    def test_info_marks_missing_entries(self):
        file = self._write({"model": {"name": "dncnn"}})
        status, out, _ = run("weights", "info", file)
        self.assertEqual(status, 0)
        for name in ("degradation", "licence", "data licence"):
            self.assertRegex(out, rf"{name} +not stated")
        self.assertRegex(out, "scores +none")

    def test_lists_and_describes_included_weights(self):
        status, out, _ = run("weights", "list")
        self.assertEqual(status, 0)
        lines = out.splitlines()
        self.assertEqual([line.split()[0] for line in lines], store.shipped())
        for name in store.shipped():
            status, out, _ = run("weights", "info", name)
            tensors = load_file(store.locate(name))
            count = sum(v.size for k, v in tensors.items() if k.startswith("params"))
            self.assertRegex(out, rf"parameters +{count:,}\n")

    @pytest.mark.slow
    def test_invalid_weights_are_one_sentence(self):
        self.assert_refused("no weights 'nothing'", "info", "nothing")
        file = self._write(_CARD)
        file.write_bytes(b"PNG" * 50)
        self.assert_refused("not a safetensors file, or is damaged", "info", file)
        for card in ("[1]", "{}", "{", '{"model": 3}'):
            file.with_suffix(".json").write_text(card)
            self.assert_refused("needs its card net.json", "info", file)


@absltest.skipIf(torch is None, "PyTorch is not installed")
class ImportTest(_Files):
    def setUp(self):
        super().setUp()
        torch.manual_seed(0)
        self.file = self.folder / "published.pth"

    def _save(self, network, key: str = "") -> None:
        state = network.state_dict()
        if key:
            state = {key: {f"module.{k}": v for k, v in state.items()}}
        torch.save(state, self.file)

    def _dncnn(self):
        network = torch_networks.DnCNN("model", 4, 6, 3, norm=True)
        return torch_networks.randomize(network)

    def _import(self, arch: str, *options) -> dict:
        """Imports the file and returns the card."""
        status, out, complaints = run(
            "weights", "import", "--arch", arch, self.file, self.out, *options
        )
        self.assertEqual((status, complaints), (0, ""))
        self.assertIn(str(self.out), out)
        names = set(os.listdir(self.out.parent))
        self.assertEqual(names, {"net.safetensors", "net.json"})
        return json.loads(self.out.with_suffix(".json").read_text())

    @parameterized.parameters("", "params", "params_ema", "model_state_dict")
    def test_imported_weights_match_pytorch(self, key):
        network = self._dncnn()
        self._save(network, key)
        card = self._import(
            "dncnn", "--source", "drawn at random", "--degradation", "bicubic:2"
        )
        self.assertEqual(card["source"]["from"], "drawn at random")
        self.assertEqual(card["degradation"], "bicubic:2")
        weights = store.load(str(self.out))
        x = np.random.default_rng(0).random((1, 9, 12, 3), np.float32)
        with torch.no_grad():
            wanted = network(torch.from_numpy(x).permute(0, 3, 1, 2))
        found = x + fast.jit(weights.model.apply)(weights.variables, x)
        np.testing.assert_allclose(found, wanted.permute(0, 2, 3, 1), atol=1e-5)

    def test_set_gives_arguments_that_tensors_do_not_tell(self):
        self._save(torch_networks.UNet((4, 6)))
        card = self._import("unet", "--set", "sigmoid=True", "--set", "slope=0.2")
        self.assertEqual(card["model"]["sigmoid"], True)
        self.assertEqual(card["model"]["slope"], 0.2)
        self._save(torch_networks.SwinIR((2,), 12, (2,), 4, 2, 3))
        card = self._import("swinir", "--set", "img_range=255", "--overwrite")
        self.assertEqual(card["model"]["img_range"], 255)
        self._save(torch_networks.VGG16())
        card = self._import("vgg16", "--overwrite")
        self.assertEqual(card["model"], {"name": "vgg16"})

    @parameterized.parameters(
        ("dncnn", ("--degradation", "bicubik"), "unknown degradation 'bicubik'"),
        ("resnet", (), "no weights of 'resnet' can be imported; choose one of: swinir"),
        ("dncnn", ("--set", "depth=9"), "its tensors do not match {'depth': 9}"),
        ("dncnn", ("--set", "epsilon=(1, 2)"), r"with {'epsilon': \(1, 2\)}"),
        ("dncnn", ("--set", "mean={1}"), "cannot be built with"),
        ("unet", (), "encoder1.0.weight is missing"),
    )
    def test_mismatches_are_one_sentence(self, arch, options, words):
        self._save(self._dncnn())
        self.assert_refused(
            words, "import", "--arch", arch, self.file, self.out, *options
        )
        self.assertFalse(self.out.parent.exists())

    def test_names_every_mismatched_tensor(self):
        state = self._dncnn().state_dict()
        del state["model.2.weight"]
        state |= {"extra": torch.zeros(1), "model.5.weight": torch.zeros(6, 6, 5, 5)}
        torch.save(state, self.file)
        self.assert_refused(
            r"published.pth does not fit 'dncnn': model.2.weight is missing, extra is "
            r"unexpected, model.5.weight is \(6, 6, 5, 5\), not \(6, 6, 3, 3\)$",
            *("import", "--arch", "dncnn", self.file, self.out),
        )

    def test_existing_files_need_overwrite(self):
        self._save(self._dncnn())
        self.out.parent.mkdir()
        for kept in (self.out, self.out.with_suffix(".json")):
            kept.write_text("mine")
            self.assert_refused(
                f"{kept} exists: .*--overwrite",
                *("import", "--arch", "dncnn", self.file, self.out),
            )
            self.assertEqual(kept.read_text(), "mine")
            kept.unlink()

    def test_output_must_be_safetensors(self):
        self.assert_refused(
            "end in .safetensors", "import", "--arch", "dncnn", self.file, "net.onnx"
        )

    def test_set_refuses_expressions(self):
        status, _, complaints = run(
            *("weights", "import", "--arch", "dncnn", self.file, self.out),
            *("--set", "epsilon=__import__('os')"),
        )
        self.assertEqual(status, 2)
        self.assertIn("expected NAME=NUMBER", complaints)

    def test_code_in_a_pickle_does_not_run(self):
        trace = self.folder / "trace"

        class Call:
            def __reduce__(self):
                return os.mkdir, (str(trace),)

        torch.save({"model.0.weight": torch.zeros(2), "call": Call()}, self.file)
        self.assert_refused(
            "wants to run .*mkdir",
            *("import", "--arch", "dncnn", self.file, self.out),
        )
        self.assertFalse(trace.exists())


if __name__ == "__main__":
    absltest.main()
