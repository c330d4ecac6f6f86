"""ONNX graphs match Flax at any size and pass the checkers."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from kdsharp import models
from kdsharp.base import optional
from kdsharp.errors import UserError
from kdsharp.export import file_formats, loaders, networks
from kdsharp.export import network as networks_of
from tests.export import random_networks
from tests.models import fast

try:
    import onnx
    import onnxruntime
except ImportError:
    onnx = onnxruntime = None
else:
    from kdsharp.export import onnx_models

# Batch, height and width: one pixel, smaller than the padding, odd, even.
_SIZES = ((1, 1, 1), (2, 3, 29), (1, 16, 24))


def _pixels(size, channels: int) -> np.ndarray:
    return np.random.default_rng(0).random((*size, channels), np.float32)


def _run(graph, pixels: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    return session.run(None, {"blurred": pixels})[0]


@absltest.skipIf(onnx is None, "onnx and onnxruntime are not installed")
class PicturesTest(parameterized.TestCase):
    def test_every_family_has_an_emitter_and_is_tested(self):
        tested = {arguments["name"] for arguments in random_networks.ARGUMENTS}
        self.assertEqual(tested, set(models.FAMILIES))
        for name in models.FAMILIES:
            self.assertTrue(callable(networks.emitter(name)), name)

    def test_networks_without_an_emitter_run_only_in_jax(self):
        without = dataclasses.replace(models.find("plain_cnn"), export=None)
        network = random_networks.create(dict(name="plain_cnn", width=6))
        with mock.patch.dict(models.FAMILIES, plain_cnn=without):
            with self.assertRaisesRegex(UserError, "'plain_cnn' has no ONNX emitter"):
                file_formats.check(network, "onnx", "float32")
            with self.assertRaisesRegex(UserError, "'plain_cnn' has no ONNX emitter"):
                onnx_models.batch_model(network)
            file_formats.check(network, "stablehlo", "float32")

    @parameterized.parameters(*random_networks.ARGUMENTS)
    @pytest.mark.slow
    def test_matches_flax_with_batch_norm(self, **arguments):
        network = random_networks.create(arguments)
        graph = onnx_models.batch_model(network)
        onnx.checker.check_model(graph, full_check=True)
        unclipped = onnx_models.batch_model(network, clip=False)
        restore = fast.jit(models.create(**arguments).apply)
        variables = random_networks.variables(arguments)
        moved = 0.0
        for size in _SIZES:
            pixels = _pixels(size, network.model.channels)
            expected = pixels + np.asarray(restore(variables, pixels))
            moved = max(moved, np.abs(expected - pixels).max())
            # Random weights produce values far above 1.
            np.testing.assert_allclose(
                _run(unclipped, pixels), expected, rtol=1e-5, atol=1e-5
            )
            np.testing.assert_allclose(
                _run(graph, pixels), np.clip(expected, 0, 1), atol=1e-5
            )
        self.assertGreater(moved, 0.05)

    @parameterized.parameters(*random_networks.ARGUMENTS)
    def test_uint8_is_rounded_float(self, **arguments):
        network = random_networks.create(arguments)
        graph = onnx_models.batch_model(network, "uint8")
        onnx.checker.check_model(graph, full_check=True)
        floats = onnx_models.batch_model(network)
        pixels = _pixels((2, 9, 11), network.model.channels)
        pixels = np.round(pixels * 255).astype(np.uint8)
        expected = 255 * _run(floats, pixels / np.float32(255))
        got = _run(graph, pixels)
        self.assertEqual(got.dtype, np.uint8)
        # Half a grey level, and the error of float32.
        np.testing.assert_allclose(got, expected, atol=0.5 + 1e-3)

    @parameterized.parameters("float", "uint8")
    def test_a_file_takes_its_own_output_as_the_state(self, interface):
        arguments = dict(name="real_time", channels=1, width=6, memory=True)
        network = random_networks.create(arguments)
        path = Path(self.create_tempdir().full_path) / "net.onnx"
        options = file_formats.ExportOptions(interface)
        file_formats.find("onnx").write(network, path, options)
        session = onnxruntime.InferenceSession(path)
        white = 255 if interface == "uint8" else 1
        first = _pixels((1, 9, 11), 1)
        frames = [np.clip(first + 0.01 * n, 0, 1) for n in range(3)]
        recalled = None
        for frame in frames:
            given = frame if white == 1 else np.round(frame * 255).astype(np.uint8)
            state = None if recalled is None else np.float32(recalled) / white
            wanted = models.restore(
                network.model,
                network.variables,
                np.float32(given) / white,
                state=state,
            )
            (recalled,) = session.run(
                None,
                {
                    "blurred": given,
                    "recalled": given if recalled is None else recalled,
                    "keep": np.float32([recalled is not None]),
                },
            )
            apart = recalled - white * np.clip(wanted, 0, 1)
            self.assertLess(np.abs(apart).max(), 0.51 if white == 255 else 1e-5)

    def test_sizes_are_dynamic_and_channels_fixed(self):
        for arguments in random_networks.ARGUMENTS:
            network = random_networks.create(arguments)
            graph = onnx_models.batch_model(network)
            inferred = onnx.shape_inference.infer_shapes(
                graph, check_type=True, strict_mode=True, data_prop=True
            )
            for value in (*inferred.graph.input, *inferred.graph.output):
                dims = value.type.tensor_type.shape.dim
                self.assertEqual(
                    [d.dim_param or d.dim_value for d in dims],
                    ["batch", "height", "width", network.model.channels],
                )

    def test_onnxruntime_prints_no_warnings(self):
        # onnxruntime prints warnings, such as mismatched shapes, to stderr.
        folder = self.create_tempdir()
        for number, arguments in enumerate(random_networks.ARGUMENTS):
            graph = onnx_models.batch_model(random_networks.create(arguments))
            onnx.save(graph, f"{folder.full_path}/{number}.onnx")
        code = """
import glob, sys, numpy, onnxruntime
for path in glob.glob(sys.argv[1] + "/*.onnx"):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    channels = session.get_inputs()[0].shape[3]
    for size in ((1, 16, 16), (2, 5, 7)):
        session.run(None, {"blurred": numpy.zeros((*size, channels), numpy.float32)})
"""
        done = subprocess.run(
            [sys.executable, "-c", code, folder.full_path],
            capture_output=True,
            text=True,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_contains_metadata(self):
        network = random_networks.create(random_networks.ARGUMENTS[0])
        graph = onnx_models.batch_model(network)
        told = {prop.key: prop.value for prop in graph.metadata_props}
        self.assertEqual(told["name"], "net")
        self.assertEqual(told["degradation"], "gaussian:1")
        self.assertEqual(json.loads(told["card"])["model"]["depth"], 4)
        self.assertEqual(told["kdsharp"], network.version)
        self.assertEqual(graph.opset_import[0].version, onnx_models.OPSET)

    def test_contains_no_batch_norm(self):
        for arguments in random_networks.ARGUMENTS:
            graph = onnx_models.batch_model(random_networks.create(arguments))
            self.assertNotIn(
                "BatchNormalization", {node.op_type for node in graph.graph.node}
            )

    @parameterized.parameters(*random_networks.ARGUMENTS)
    def test_openvino_matches(self, **arguments):
        if not optional.installed("openvino"):
            self.skipTest("openvino is not installed")
        network = random_networks.create(arguments)
        graph = onnx_models.batch_model(network, clip=False)
        path = self.create_tempfile("net.onnx").full_path
        onnx.save(graph, path)
        restore, _ = loaders.load_openvino(path)
        for size in _SIZES:
            pixels = _pixels(size, network.model.channels)
            wanted = _run(graph, pixels)
            np.testing.assert_allclose(restore(pixels), wanted, rtol=1e-5, atol=1e-5)

    @parameterized.parameters(
        *({**arguments, "dtype": "float16"} for arguments in random_networks.ARGUMENTS),
        *(
            {**arguments, "dtype": "bfloat16"}
            for arguments in random_networks.ARGUMENTS
        ),
    )
    def test_16_bit_types_are_close_to_float32(self, dtype, **arguments):
        network = random_networks.create(arguments)
        full, reduced = (
            onnx_models.batch_model(network, dtype=of, clip=False)
            for of in ("float32", dtype)
        )
        onnx.checker.check_model(reduced, full_check=True)
        pixels = _pixels((1, 13, 10), network.model.channels)
        wanted = _run(full, pixels)
        apart = np.abs(_run(reduced, pixels) - wanted).max() / np.abs(wanted).max()
        # Mantissas of 11 and 8 bits, through some layers.
        self.assertBetween(apart, 1e-7, 5e-3 if dtype == "float16" else 4e-2)

    def test_included_weights_are_found_by_name(self):
        network = networks_of.of_weights("rt-s-bicubic2")
        self.assertEqual((network.name, network.family), ("rt-s-bicubic2", "real_time"))


if __name__ == "__main__":
    absltest.main()
