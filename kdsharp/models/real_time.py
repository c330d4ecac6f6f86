"""A network for video: all of its work at half the picture's height and width.

A convolution costs as many operations as there are places to put it, so the picture is
first folded, each `factor` x `factor` square into one place with so many more channels,
and unfolded last. (Shi et al., "Real-Time Single Image and Video Super-Resolution Using
an Efficient Sub-Pixel Convolutional Neural Network", CVPR 2016, unfold that way.)
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from kdsharp.core import color
from kdsharp.errors import UserError
from kdsharp.models import layers

CONVOLUTIONS = ("plain", "expanded", "separable")
CONTEXTS = ("none", "last", "all")


class RealTime(nn.Module):
    """`depth` convolutions of `width` filters on the folded picture, residual out.

    Those at both ends are of `ends` x `ends` places, those between, of the kind
    `convolution`, of 3 x 3. With `skip` the last one also sees the first one's output.
    The activation is leaky, under a plain ReLU such small networks fall silent; its
    slope is learned, a filter each, where `learned_slope` is set.

    With a `context`, a coarse look at the whole picture sets a gain for each filter of
    the `last` hidden layer or of `all` of them, so that the network knows a good
    picture from a poor one. `gains` may be given, as `Context` computes them, where
    what is restored is only a part of the picture.

    With `frames` above 1 the network is also given earlier frames, as further channels
    after those of the frame that it restores.
    """

    depth: int = 5
    width: int = 16
    factor: int = 2
    channels: int = 3
    slope: float = 0.1
    ends: int = 3
    convolution: str = "plain"
    skip: bool = False
    learned_slope: bool = False
    context: str = "none"
    frames: int = 1
    dtype: jnp.dtype = jnp.float32
    # Without batch norm, devices have nothing to agree on.
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self,
        blurred: Float[Array, "b h w c"],
        *,
        gains: Float[Array, "b g"] | None = None,
        train: bool = False,
    ) -> Float[Array, "b h w c"]:
        given = blurred
        blurred = given[..., : self.channels]
        if gains is None and self.gains:
            gains = Context(self.gains, name="context")(blurred)
        x = layers.pad_to_multiple(given, self.factor).astype(self.dtype)
        x = fold(x, self.factor)
        x = layers.conv(self.width, self.ends, "conv1", self.dtype)(x)
        first = x = self._scale(self._activate(x, 1), gains, 1)
        for layer in range(2, self.depth):
            x = self._activate(self._inner(f"conv{layer}")(x), layer)
            x = self._scale(x, gains, layer)
        if self.skip:
            x = x + first
        folded = self.channels * self.factor**2
        x = layers.residual_head(folded, self.dtype, f"conv{self.depth}", self.ends)(x)
        x = layers.crop_like(unfold(x, self.factor), blurred)
        return x.astype(blurred.dtype)

    @property
    def gains(self) -> int:
        """How many gains the context sets."""
        if self.context not in CONTEXTS:
            raise UserError(
                f"unknown context {self.context!r}; choose one of: "
                f"{', '.join(CONTEXTS)}"
            )
        layers_ = {"none": 0, "last": 1, "all": self.depth - 1}[self.context]
        return layers_ * self.width

    def _scale(self, x: Float[Array, "b h w f"], gains: Array | None, layer: int):
        """The features times their gains, where this layer has any."""
        if gains is None or (self.context == "last" and layer < self.depth - 1):
            return x
        start = (layer - 1) * self.width if self.context == "all" else 0
        own = gains[:, None, None, start : start + self.width]
        return x * own.astype(self.dtype)

    def _inner(self, name: str) -> nn.Module:
        if self.convolution not in CONVOLUTIONS:
            raise UserError(
                f"unknown convolution {self.convolution!r}; there are: "
                f"{', '.join(CONVOLUTIONS)}"
            )
        if self.convolution == "expanded":
            return Expanded(self.width, dtype=self.dtype, name=name)
        if self.convolution == "separable":
            return Separable(self.width, dtype=self.dtype, name=name)
        return layers.conv(self.width, 3, name, self.dtype)

    def _activate(self, x: Float[Array, "b h w f"], layer: int) -> Array:
        if not self.learned_slope:
            return nn.leaky_relu(x, self.slope)
        slope = self.param(
            f"slope{layer}", nn.initializers.constant(self.slope), (self.width,)
        )
        return jnp.where(x >= 0, x, x * slope.astype(self.dtype))


class Context(nn.Module):
    """A gain between 0 and 2 for each of `gains` filters, from the whole picture.

    Filters that look at every eighth place tell by their means over the picture, their
    mean squares and mean fourth powers how much there is of what they look for.
    """

    gains: int
    filters: int = 16
    size: int = 12
    hidden: int = 32

    @nn.compact
    def __call__(self, picture: Float[Array, "b h w c"]) -> Float[Array, "b g"]:
        luma = picture.astype(jnp.float32)
        if luma.shape[-1] == 3:
            luma = color.luma(luma)
        below, right = (max(0, self.size - side) for side in luma.shape[1:3])
        luma = jnp.pad(luma, ((0, 0), (0, below), (0, right), (0, 0)), mode="edge")
        kernel = self.param(
            "look", _zero_mean, (self.size, self.size, 1, self.filters), jnp.float32
        )
        seen = jax.lax.conv_general_dilated(
            luma, kernel, (8, 8), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        squares = jnp.square(seen)
        moments = [
            jnp.log(jnp.mean(jnp.abs(seen), axis=(1, 2)) + 1e-4),
            jnp.log(jnp.mean(squares, axis=(1, 2)) + 1e-8) / 2,
            jnp.log(jnp.mean(jnp.square(squares), axis=(1, 2)) + 1e-16) / 4,
        ]
        x = jnp.concatenate(moments, axis=-1) / 4 + 1
        x = nn.leaky_relu(nn.Dense(self.hidden, name="hidden")(x), 0.1)
        x = nn.Dense(self.gains, kernel_init=nn.initializers.zeros, name="gains")(x)
        return 2 * jax.nn.sigmoid(x)


def _zero_mean(key, shape, dtype=jnp.float32):
    """Random kernels that see nothing in a flat picture."""
    kernel = jax.random.normal(key, shape, dtype) / 12
    return kernel - jnp.mean(kernel, axis=(0, 1), keepdims=True)


class Expanded(nn.Module):
    """A 3x3 convolution that is trained as a wide one, a narrow one and a shortcut.

    All three are linear, so their product is one kernel, and that is what is computed,
    in training too. (Bhardwaj et al., "Collapsible Linear Blocks for Super-Efficient
    Super Resolution", MLSys 2022.)
    """

    width: int
    hidden: int = 128
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "b h w f"]) -> Float[Array, "b h w f"]:
        wide = self.param(
            "wide", nn.initializers.he_normal(), (3, 3, x.shape[-1], self.hidden)
        )
        narrow = self.param(
            "narrow", nn.initializers.lecun_normal(), (self.hidden, self.width)
        )
        bias = self.param("bias", nn.initializers.zeros, (self.width,))
        kernel = collapsed(wide, narrow).astype(self.dtype)
        y = jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return y + bias.astype(self.dtype)


def collapsed(
    wide: Float[Array, "3 3 f p"], narrow: Float[Array, "p f"]
) -> Float[Array, "3 3 f f"]:
    """Returns the one kernel of an expanded convolution, its shortcut included."""
    return (
        jnp.einsum("hwip,po->hwio", wide, narrow)
        .at[1, 1]
        .add(jnp.eye(narrow.shape[-1], dtype=narrow.dtype))
    )


class Separable(nn.Module):
    """A 3x3 convolution of each filter alone, and a mixture of the filters."""

    width: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "b h w f"]) -> Float[Array, "b h w f"]:
        x = nn.Conv(
            self.width,
            (3, 3),
            feature_group_count=self.width,
            use_bias=False,
            dtype=self.dtype,
            name="each",
        )(x)
        return layers.conv(self.width, 1, "mixed", self.dtype)(x)


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
