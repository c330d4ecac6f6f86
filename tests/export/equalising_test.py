"""Scaling of filters before int8."""

import itertools

import numpy as np
from absl.testing import absltest, parameterized

from tests.export import random_networks

try:
    import onnxruntime
except ImportError:
    onnxruntime = None
else:
    from kdsharp.export import equalising, onnx_models


@absltest.skipIf(onnxruntime is None, "onnxruntime is not installed")
class EqualisingTest(parameterized.TestCase):
    @parameterized.parameters(
        (dict(depth=4), "conv1 conv2 conv3 conv4"),
        # The outputs of the first and the last hidden layer are also added.
        (dict(depth=4, skip=True), "conv2 conv3"),
        # The outputs of the last hidden layer are multiplied by gains.
        (dict(depth=4, context=4), "conv1 conv2 conv3"),
        # Convolutions of single filters are left alone.
        (dict(depth=4, convolution="separable"), "conv3_mixed conv4"),
        (dict(name="dncnn", depth=3), "conv1 conv2 conv3"),
    )
    def test_finds_convolutions_with_only_a_relu_between(self, arguments, chain):
        network = random_networks.create(
            dict(name="real_time", channels=1, width=6) | arguments
        )
        _, graph = onnx_models.calibration_model(network)
        found = [(link.first, link.second) for link in equalising.links(graph)]
        self.assertEqual(found, list(itertools.pairwise(chain.split())))

    def test_small_filters_are_scaled_up_and_the_largest_is_not(self):
        outputs = np.random.default_rng(0).uniform(0, 1, (3, 10_000))
        factors = equalising.factors(outputs * [[1], [0.25], [0]], slope=0.1)
        np.testing.assert_allclose(factors, [1, 2, 10], rtol=1e-2)

    def test_negative_outputs_count_less(self):
        outputs = np.random.default_rng(0).uniform(-1, 0, (1, 10_000))
        positive = np.random.default_rng(1).uniform(0, 1, (1, 10_000))
        factors = equalising.factors(np.concatenate([outputs, positive]), slope=0.0625)
        np.testing.assert_allclose(factors, [2, 1], rtol=1e-2)

    def test_filters_that_compute_nothing_are_left_alone(self):
        np.testing.assert_array_equal(equalising.factors(np.zeros((2, 9)), 0.1), [1, 1])


if __name__ == "__main__":
    absltest.main()
