"""Networks without published weights, against the same layers in PyTorch."""

import jax
import numpy as np
from absl.testing import absltest, parameterized

from kdsharp import models
from kdsharp.models import layers
from tests.models import fast

try:
    import torch
    from torch.nn import functional
except ImportError:
    torch = None


def setUpModule():
    if torch is None:
        raise absltest.SkipTest("PyTorch is not installed")


def _random_variables(model) -> dict:
    random = np.random.default_rng(0)
    x = np.zeros((1, 16, 16, 3), np.float32)

    def draw(path, leaf):
        if path[-1].key == "kernel":
            deviation = np.prod(leaf.shape[:-1]) ** -0.5
            return random.normal(0, deviation, leaf.shape).astype(np.float32)
        return random.uniform(0.3, 0.9, leaf.shape).astype(np.float32)

    shapes = jax.eval_shape(model.init, jax.random.key(0), x)
    return jax.tree_util.tree_map_with_path(draw, dict(shapes))


class _Torch:
    """PyTorch layers with the weights of Flax."""

    def __init__(self, variables):
        self.params = variables["params"]
        self.stats = variables.get("batch_stats", {})

    def conv(self, x, name, **arguments):
        kernel = torch.from_numpy(self.params[name]["kernel"]).permute(3, 2, 0, 1)
        bias = self.params[name].get("bias")
        bias = None if bias is None else torch.from_numpy(bias)
        padding = arguments.pop("padding", kernel.shape[-1] // 2)
        return functional.conv2d(x, kernel, bias, padding=padding, **arguments)

    def norm(self, x, name):
        numbers = (
            self.stats[name]["mean"],
            self.stats[name]["var"],
            self.params[name]["scale"],
            self.params[name]["bias"],
        )
        return functional.batch_norm(x, *map(torch.from_numpy, numbers))

    def plain_cnn(self, x):
        for name in ("conv1", "conv2"):
            x = self.conv(x, name).relu()
        return self.conv(x, "conv3")

    def light_cnn(self, x):
        y = x
        for layer in (1, 2, 3):
            y = self.norm(self.conv(y, f"conv{layer}"), f"norm{layer}").relu()
        return x + self.conv(y, "conv4")

    def separable(self, x, name, dilation=1):
        x = self.conv(
            x,
            f"{name}_depthwise",
            groups=x.shape[1],
            dilation=dilation,
            padding=dilation,
        )
        return functional.leaky_relu(self.conv(x, f"{name}_pointwise"), 0.1)

    def separable_unet(self, x):
        skip1 = self.separable(x, "encoder1")
        skip2 = self.separable(functional.max_pool2d(skip1, 2), "encoder2")
        x = functional.max_pool2d(skip2, 2)
        x = self.separable(x, "bottleneck", dilation=2)
        for level, skip in ((2, skip2), (1, skip1)):
            x = functional.interpolate(x, scale_factor=2, mode="bilinear")
            x = self.separable(self.conv(x, f"up{level}") + skip, f"decoder{level}")
        return self.conv(self.separable(x, "refinement"), "head").sigmoid()

    def encoder_decoder(self, x):
        x = self.conv(self.conv(x, "conv1").relu(), "conv2", stride=2).relu()
        y = self.conv(self.conv(x, "block_conv1").relu(), "block_conv2")
        # PyTorch's layout is input, output, height, width, with flipped kernels.
        kernel = self.params["up"]["kernel"][::-1, ::-1].transpose(2, 3, 0, 1)
        x = functional.conv_transpose2d(
            (x + y).relu(),
            torch.from_numpy(kernel.copy()),
            torch.from_numpy(self.params["up"]["bias"]),
            stride=2,
            padding=1,
        )
        return self.conv(x.relu(), "head").sigmoid()


class ParityTest(parameterized.TestCase):
    @parameterized.product(
        name=("plain_cnn", "light_cnn", "separable_unet", "encoder_decoder"),
        size=((16, 12), (13, 7)),
    )
    def test_restored_equals_pytorch(self, name, size):
        model = models.create(name)
        variables = _random_variables(model)
        x = np.random.default_rng(1).random((2, *size, 3), np.float32)
        h, w = size
        padded = np.pad(x, ((0, 0), (0, -h % 4), (0, -w % 4), (0, 0)), mode="symmetric")
        # Networks without downsampling pad with zeros, not by mirroring.
        if name in ("plain_cnn", "light_cnn"):
            padded = x
        elif name == "encoder_decoder":
            padded = padded[:, : h + h % 2, : w + w % 2]
        wanted = getattr(_Torch(variables), name)(
            torch.from_numpy(padded).permute(0, 3, 1, 2)
        )
        wanted = wanted.permute(0, 2, 3, 1).numpy()[:, :h, :w]
        found = x + np.asarray(fast.jit(model.apply)(variables, x))
        self.assertGreater(wanted.std(), 0.01)
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


class BilinearTest(absltest.TestCase):
    def test_double_bilinear_equals_pytorch(self):
        x = np.random.default_rng(0).random((2, 5, 3, 4), np.float32)
        wanted = functional.interpolate(
            torch.from_numpy(x).permute(0, 3, 1, 2), scale_factor=2, mode="bilinear"
        )
        np.testing.assert_allclose(
            layers.double_bilinear(x), wanted.permute(0, 2, 3, 1), atol=1e-6
        )


if __name__ == "__main__":
    absltest.main()
