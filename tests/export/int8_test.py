"""The loss of int8, on pictures degraded as the network expects."""

import dataclasses
import os
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from absl.testing import absltest, parameterized
from PIL import Image

from kdsharp.data import dead_leaves, sources
from kdsharp.export import network as networks
from kdsharp.export import samples
from kdsharp.weights import store
from tests.export import random_networks

try:
    import onnxruntime
except ImportError:
    onnxruntime = None
else:
    from kdsharp.export import int8, onnx_models


def _psnr(x: np.ndarray, wanted: np.ndarray) -> float:
    return -10 * np.log10(np.mean((np.float64(x) - wanted) ** 2))


def _run(graph, pixels: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    return session.run(None, {"blurred": pixels})[0]


def _photographs(network: networks.TrainedNetwork) -> list[samples.SamplePair]:
    """Pairs of centre crops of photographs; none is left sharp."""
    blur = samples.degradation(network).partition("@")[0]
    blurring = dataclasses.replace(network, card={"degradation": blur})
    with tempfile.TemporaryDirectory() as folder:
        for split in ("valid", "test"):
            source = sources.create("embedded", split)
            for index in range(len(source)):
                picture = Image.fromarray(source[index]["sharp"])
                picture.save(Path(folder, f"{split}{index}.png"))
        return samples.pairs(blurring, Path(folder))


@absltest.skipIf(onnxruntime is None, "onnxruntime is not installed")
class Int8Test(parameterized.TestCase):
    @parameterized.product(
        name=("rt-s-bicubic2", "rt-s-call", "rt-m-bicubic2", "rt-m-call"),
        once=(False, True),
    )
    @pytest.mark.slow
    def test_loss_on_photographs_is_small(self, name, once):
        network = networks.of_weights(name)
        found = int8.calibrate(network, samples.pairs(network))
        if once:
            found = int8.only_inputs(found)
        rounded = onnx_models.batch_model(network, quantization=found)
        full = onnx_models.batch_model(network)
        kinds = {node.op_type for node in rounded.graph.node}
        self.assertIn("QuantizeLinear", kinds)
        scores = [
            [_psnr(_run(graph, pair.blurred), pair.sharp) for graph in (full, rounded)]
            + [_psnr(pair.blurred, pair.sharp)]
            for pair in _photographs(network)
        ]
        of_full, of_rounded, of_input = np.mean(scores, axis=0)
        lost = of_full - of_rounded
        if name.endswith("call"):
            self.assertGreater(of_full - of_input, 0.5)
            self.assertBetween(lost, -0.1, 0.1)
        else:
            self.assertGreater(of_full - of_input, 2)
            # Rounding twice in onnxruntime costs the networks with most gain the most.
            self.assertBetween(lost, 0, 0.1 if once else 0.2)

    @parameterized.parameters(*random_networks.ARGUMENTS)
    def test_every_architecture_is_close_to_float32(self, **arguments):
        network = random_networks.create(arguments)
        picture = dead_leaves.render(0, size=48, seed=5)[None, ..., -1:]
        pixels = np.float32(picture / 255).repeat(network.model.channels, -1)
        found = int8.calibrate(network, [samples.SamplePair(pixels, pixels)])
        full, rounded = (
            _run(onnx_models.batch_model(network, quantization=of, clip=False), pixels)
            for of in (None, found)
        )
        # Random weights are less smooth than trained ones.
        self.assertGreater(np.std(full), 1e-3)
        near = _psnr(rounded / np.std(full), full / np.std(full))
        self.assertBetween(near, 15, 90)

    def test_calibration_is_read_from_the_cache(self):
        network = random_networks.create(dict(name="real_time", channels=1, width=6))
        folder = Path(self.create_tempdir())
        self.enter_context(mock.patch.dict(os.environ, KDSHARP_CACHE=str(folder)))
        found = int8.quantization(network)
        (cached,) = folder.rglob("*.safetensors")
        with mock.patch.object(int8, "calibrate", side_effect=AssertionError):
            again = int8.quantization(network)
        self.assertEqual(again.ranges, found.ranges)
        self.assertEqual(again.observed, found.observed)
        self.assertEqual(again.kernels.keys(), found.kernels.keys())
        for name, kernel in found.kernels.items():
            for field in ("whole", "steps", "bias"):
                np.testing.assert_array_equal(
                    getattr(again.kernels[name], field), getattr(kernel, field)
                )
        # A file that was cut short, as by a full disk, is written anew.
        content = cached.read_bytes()
        cached.write_bytes(content[:100])
        int8.quantization(network)
        self.assertEqual(cached.read_bytes(), content)

    def test_range_minimises_the_error(self):
        # An outlier: covering it would make the steps too coarse for all other values.
        values = np.append(np.random.default_rng(0).uniform(-1, 1, 100_000), 2.0)
        low, high = int8._best(values)
        self.assertLess(high, 1.75)
        self.assertBetween(low, -1, -0.99)

    def test_before_a_leaky_relu_negative_values_may_be_clipped(self):
        values = np.random.default_rng(0).normal(size=100_000)
        low, high = int8._best(values)
        self.assertAlmostEqual(low, -high, delta=0.5)
        self.assertLess(int8._best(values, slope=0.1)[0], 0)
        self.assertGreater(int8._best(values, slope=0.1)[0], 0.8 * low)


class DegradationTest(absltest.TestCase):
    def test_networks_trained_on_pairs_are_calibrated_as_their_recipe_says(self):
        network = random_networks.create(dict(name="real_time", channels=1, width=6))
        for card, wanted in (
            ({"degradation": "gaussian:2"}, "gaussian:2"),
            ({"degradation": store.GIVEN, "recipe": {"degradation": "jpeg"}}, "jpeg"),
            ({"degradation": store.GIVEN}, "bicubic:2"),
            ({}, "bicubic:2"),
        ):
            made = dataclasses.replace(network, card=card)
            self.assertEqual(samples.degradation(made), wanted)


if __name__ == "__main__":
    absltest.main()
