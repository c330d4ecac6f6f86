"""`kdsharp export`: files, reports and refusals."""

import os
import pathlib

import numpy as np
import pytest
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
        status, printed, complaints = run("export", self.weights, *arguments)
        self.assertEqual((status, complaints), (0, ""))
        return printed

    @parameterized.parameters(
        ("onnx", ".onnx", ["net.onnx"]),
        ("openvino", ".xml", ["net.bin", "net.xml"]),
        ("stablehlo", ".stablehlo", ["net.stablehlo"]),
    )
    def test_reports_files_and_parity_with_jax(self, name, suffix, files):
        printed = self._export("-o", self.out / f"net{suffix}", "--format", name)
        self.assertEqual(sorted(os.listdir(self.out)), files)
        self.assertRegex(printed, rf"net{suffix} \([\d.]+ kB\)")
        self.assertRegex(
            printed, r"parity +differs from JAX by at most \d\.\de[-+]0[0678],"
        )
        self.assertIn("any size", printed)
        if name != "stablehlo":
            self.assertIn("opset 20", printed)

    @parameterized.parameters("onnx", "openvino", "stablehlo")
    def test_networks_with_context_match_jax(self, name):
        self.weights = random_networks.save(self.folder, {**_LUMA, "context": 4})
        suffix = {"onnx": ".onnx", "openvino": ".xml"}.get(name, ".stablehlo")
        out = self.out / f"net{suffix}"
        printed = self._export("-o", out, "--format", name, "--interface", "float")
        self.assertRegex(
            printed, r"parity +differs from JAX by at most \d\.\de[-+]0[0678],"
        )

    @parameterized.parameters("onnx", "openvino")
    def test_int8_reports_its_loss(self, name):
        suffix = {"onnx": ".onnx", "openvino": ".xml"}[name]
        out = self.out / f"net{suffix}"
        printed = self._export("-o", out, "--format", name, "--int8")
        self.assertRegex(
            printed, r"loss +-?\d\.\d{3} dB against float32 \(.*: \d\d\.\d dB\)"
        )
        self.assertRegex(printed, r"gain .* on 6 pictures, gaussian:1, in ")

    @parameterized.parameters("bfloat16", "float16")
    @pytest.mark.slow
    def test_16_bit_formats_report_their_loss(self, dtype):
        printed = self._export("-o", self.out / "net.onnx", f"--{dtype}")
        self.assertRegex(
            printed, r"loss +-?\d\.\d{3} dB against float32 \(.*: \d\d\.\d dB\)"
        )

    def test_calibrates_with_given_pictures(self):
        pictures = self.folder / "photographs"
        pictures.mkdir()
        random = np.random.default_rng(0)
        for number in range(3):
            pixels = random.integers(0, 256, (40, 50, 3), np.uint8)
            Image.fromarray(pixels).save(pictures / f"{number}.png")
        printed = self._export(
            "-o", self.out / "net.onnx", "--int8", "--calibrate", pictures
        )
        self.assertIn("on 1 pictures", printed)

    def test_uint8_interface_takes_and_returns_bytes(self):
        self._export("-o", self.out / "net.onnx", "--interface", "uint8")
        (onnxruntime,) = optional.require("onnxruntime", purpose="this test")
        session = onnxruntime.InferenceSession(self.out / "net.onnx")
        self.assertEqual(session.get_inputs()[0].type, "tensor(uint8)")
        self.assertEqual(session.get_outputs()[0].type, "tensor(uint8)")

    def _assert_refused(self, *arguments, words: str):
        before = sorted(os.listdir(self.folder))
        status, printed, complaints = run("export", self.weights, *arguments)
        self.assertEqual((status, printed), (2, ""))
        self.assertRegex(complaints, words)
        self.assertLen(complaints.splitlines(), 1)
        self.assertEqual(sorted(os.listdir(self.folder)), before)

    @parameterized.parameters(
        (
            ("--format", "tflite"),
            "unknown format 'tflite'; choose one of: onnx, openvino",
        ),
        (
            ("--interface", "int16"),
            "unknown interface 'int16'; choose one of: float, uint8",
        ),
        (
            ("-o", "{}/net.pb"),
            "net.pb does not fit --format onnx: use the ending .onnx",
        ),
        (("-o", "/proc/net.onnx"), "net.onnx cannot be written .*: check /proc"),
        (("-o", "{}/folder.onnx"), "is a folder: give a file name"),
        (("--format", "stablehlo", "--int8"), "stablehlo does not support int8"),
        (("--calibrate", "{}"), "--calibrate is only for --int8"),
        (("--int8", "--calibrate", "{}/nowhere"), "there is no folder .*nowhere"),
        (("--int8", "--calibrate", "{}"), "holds 0 pictures to calibrate with"),
    )
    def test_user_errors_are_one_sentence(self, arguments, words):
        (self.folder / "folder.onnx").mkdir()
        arguments = [argument.format(self.folder) for argument in arguments]
        if "-o" not in arguments:
            arguments += ["-o", self.out / "net.onnx"]
        if "stablehlo" in arguments:
            arguments[-1] = self.out / "net.stablehlo"
        self._assert_refused(*arguments, words=words)
        self.assertFalse(self.out.exists())

    @parameterized.parameters(
        (("-o", "net.glsl"), "shader cannot see: .* --like FILE$"),
        (("--like", "none.png", "-o", "net.glsl"), "none.png: there is no such file"),
        (("--like", "net.json", "-o", "net.glsl"), "net.json: .* not a picture"),
        (("--like", "film.mkv", "-o", "net.glsl"), "film.mkv is a video: give one of"),
        (("--like", ".", "-o", "net.glsl"), "it is a folder, not a picture"),
        (("--like", "wide.tiff", "-o", "net.glsl"), "wide.tiff: float pixels must be"),
        (
            ("--like", "net.json", "-o", "net.onnx", "--format", "onnx"),
            "--like is only for --format glsl",
        ),
    )
    def test_gains_of_shaders_that_cannot_be_are_one_sentence(self, arguments, words):
        context = {**_LUMA, "width": 8, "context": 4}
        self.weights = random_networks.save(self.folder, context)
        wide = np.full((40, 50), 255, np.float32)
        Image.fromarray(wide).save(self.folder / "wide.tiff")
        matroska = b"\x1a\x45\xdf\xa3" + bytes(60)
        (self.folder / "film.mkv").write_bytes(matroska)
        arguments = [
            word if word[0] == "-" or word == "onnx" else str(self.folder / word)
            for word in arguments
        ]
        self._assert_refused("--format", "glsl", *arguments, words=words)

    def test_like_is_refused_without_a_context(self):
        self.weights = random_networks.save(self.folder, {**_LUMA, "width": 8})
        arguments = ("--format", "glsl", "-o", self.out.with_suffix(".glsl"))
        self._assert_refused(
            *arguments, "--like", "a.png", words="not for net: it has no context"
        )

    def test_an_unknown_network_is_reported(self):
        status, _, complaints = run("export", "nothing")
        self.assertEqual(status, 2)
        self.assertIn("no weights 'nothing'", complaints)


if __name__ == "__main__":
    absltest.main()
