"""`kdsharp export`: what it writes, what it says, and what it refuses."""

import os
import pathlib

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from kdsharp.base import optional
from tests.cli.running import run
from tests.export import random_networks

_INSTALLED = optional.installed("onnx", "onnxruntime", "openvino")
_LUMA = dict(name="real_time", channels=1, width=6)


@absltest.skipIf(not _INSTALLED, "onnx, onnxruntime and openvino are not installed")
class ExportTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.weights = random_networks.save(self.folder, _LUMA)
        self.out = self.folder / "out"

    def _export(self, *arguments) -> str:
        status, told, complaints = run("export", self.weights, *arguments)
        self.assertEqual((status, complaints), (0, ""))
        return told

    @parameterized.parameters(
        ("onnx", ".onnx", ["net.onnx"]),
        ("openvino", ".xml", ["net.bin", "net.xml"]),
        ("stablehlo", ".stablehlo", ["net.stablehlo"]),
    )
    def test_tells_what_it_wrote_and_how_near_it_is(self, name, suffix, files):
        told = self._export("-o", self.out / f"net{suffix}", "--format", name)
        self.assertEqual(sorted(os.listdir(self.out)), files)
        self.assertRegex(told, rf"net{suffix} \([\d.]+ kB\)")
        self.assertRegex(told, r"parity +\d\.\de[-+]0[0678] from JAX")
        self.assertIn("any size", told)
        if name != "stablehlo":
            self.assertIn("opset 20", told)

    @parameterized.parameters("onnx", "openvino", "stablehlo")
    def test_a_context_is_in_the_file(self, name):
        self.weights = random_networks.save(self.folder, {**_LUMA, "context": 4})
        suffix = {"onnx": ".onnx", "openvino": ".xml"}.get(name, ".stablehlo")
        out = self.out / f"net{suffix}"
        told = self._export("-o", out, "--format", name, "--interface", "float")
        self.assertRegex(told, r"parity +\d\.\de[-+]0[0678] from JAX")

    @parameterized.parameters("onnx", "openvino")
    def test_eight_bits_tell_their_loss(self, name):
        suffix = {"onnx": ".onnx", "openvino": ".xml"}[name]
        out = self.out / f"net{suffix}"
        told = self._export("-o", out, "--format", name, "--int8")
        self.assertRegex(told, r"loss +-?\d\.\d{3} dB against float32, \d\d\.\d dB")
        self.assertRegex(told, r"gain .* on 6 pictures, gaussian:1, by ")

    @parameterized.parameters("bfloat16", "float16")
    def test_sixteen_bits_tell_their_loss(self, dtype):
        told = self._export("-o", self.out / "net.onnx", f"--{dtype}")
        self.assertRegex(told, r"loss +-?\d\.\d{3} dB against float32, \d\d\.\d dB")

    def test_ones_own_pictures_calibrate(self):
        pictures = self.folder / "photographs"
        pictures.mkdir()
        random = np.random.default_rng(0)
        for number in range(3):
            pixels = random.integers(0, 256, (40, 50, 3), np.uint8)
            Image.fromarray(pixels).save(pictures / f"{number}.png")
        told = self._export(
            "-o", self.out / "net.onnx", "--int8", "--calibrate", pictures
        )
        self.assertIn("on 1 pictures", told)

    def test_bytes_are_what_the_file_takes(self):
        self._export("-o", self.out / "net.onnx", "--interface", "uint8")
        (onnxruntime,) = optional.require("onnxruntime", purpose="this test")
        session = onnxruntime.InferenceSession(self.out / "net.onnx")
        self.assertEqual(session.get_inputs()[0].type, "tensor(uint8)")
        self.assertEqual(session.get_outputs()[0].type, "tensor(uint8)")

    @parameterized.parameters(
        (
            ("--format", "tflite"),
            "unknown format 'tflite'; choose one of: onnx, openvino",
        ),
        (
            ("--interface", "int16"),
            "unknown interface 'int16'; choose one of: float, uint8",
        ),
        (("-o", "{}/net.pb"), "net.pb is no name of onnx: let it end in .onnx"),
        (("-o", "/proc/net.onnx"), "net.onnx cannot be written .*: check /proc"),
        (("-o", "{}/folder.onnx"), "is a folder: give the name of a file in it"),
        (("--format", "stablehlo", "--int8"), "stablehlo is not written in int8"),
        (("--calibrate", "{}"), "--calibrate is for --int8"),
        (("--int8", "--calibrate", "{}/nowhere"), "there is no folder .*nowhere"),
        (("--int8", "--calibrate", "{}"), "holds 0 pictures to calibrate by"),
    )
    def test_a_mistake_gets_one_sentence(self, arguments, words):
        (self.folder / "folder.onnx").mkdir()
        arguments = [argument.format(self.folder) for argument in arguments]
        if "-o" not in arguments:
            arguments += ["-o", self.out / "net.onnx"]
        if "stablehlo" in arguments:
            arguments[-1] = self.out / "net.stablehlo"
        status, told, complaints = run("export", self.weights, *arguments)
        self.assertEqual((status, told), (2, ""))
        self.assertRegex(complaints, words)
        self.assertLen(complaints.splitlines(), 1)
        self.assertFalse(self.out.exists())

    def test_an_unknown_name_is_told(self):
        status, _, complaints = run("export", "nothing")
        self.assertEqual(status, 2)
        self.assertIn("no weights 'nothing'", complaints)


if __name__ == "__main__":
    absltest.main()
