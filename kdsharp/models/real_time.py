"""A network for video: all of its work at half the picture's height and width.

A convolution costs as many operations as there are places to put it, so the picture is
first folded, each `factor` x `factor` square into one place with so many more channels,
and unfolded last. (Shi et al., "Real-Time Single Image and Video Super-Resolution Using
an Efficient Sub-Pixel Convolutional Neural Network", CVPR 2016, unfold that way.)
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from kdsharp.models import layers


class RealTime(nn.Module):
    """`depth` 3x3 convolutions of `width` filters on the folded picture, residual out.

    Leaky ReLU between: under a plain one such small networks fall silent.
    """

    depth: int = 5
    width: int = 16
    factor: int = 2
    channels: int = 3
    slope: float = 0.1
    dtype: jnp.dtype = jnp.float32
    # Without batch norm, devices have nothing to agree on.
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, blurred: Float[Array, "b h w c"], *, train: bool = False
    ) -> Float[Array, "b h w c"]:
        x = layers.pad_to_multiple(blurred, self.factor).astype(self.dtype)
        x = fold(x, self.factor)
        for layer in range(1, self.depth):
            x = layers.conv3x3(self.width, f"conv{layer}", self.dtype)(x)
            x = nn.leaky_relu(x, self.slope)
        folded = self.channels * self.factor**2
        x = layers.residual_head(folded, self.dtype, f"conv{self.depth}")(x)
        x = layers.crop_like(unfold(x, self.factor), blurred)
        return x.astype(blurred.dtype)


def fold(x: Float[Array, "b H W c"], factor: int) -> Float[Array, "b h w C"]:
    """Returns each square of pixels as one, its rows one after another in channels."""
    count, height, width, channels = x.shape
    x = x.reshape(count, height // factor, factor, width // factor, factor, channels)
    x = x.transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(count, height // factor, width // factor, -1)


def unfold(x: Float[Array, "b h w C"], factor: int) -> Float[Array, "b H W c"]:
    """Returns what was folded as it was."""
    count, height, width, channels = x.shape
    x = x.reshape(count, height, width, factor, factor, channels // factor**2)
    x = x.transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(count, height * factor, width * factor, -1)
