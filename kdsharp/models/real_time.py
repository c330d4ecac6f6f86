"""Networks for video, which compute at a fraction of the picture's resolution.

The picture is folded first (space-to-depth by `factor`) and the result unfolded last
(depth-to-space), since the cost of a convolution is proportional to its output size.
After Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient
Sub-Pixel Convolutional Neural Network", CVPR 2016.
"""

import itertools
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from kdsharp.base import choices
from kdsharp.core import color
from kdsharp.models import layers, spans
from kdsharp.models.family import Family, ReceptiveField
from kdsharp.models.memory import SHARE

# The logit of the memory's share before training: a quarter.
_FIRST_SHARE = -1.0

CONVOLUTIONS = ("plain", "expanded", "separable")


class RealTime(nn.Module):
    """`depth` convolutions of `width` filters on the folded picture.

    The first and last convolution are `ends` x `ends`; those between are 3x3 of the
    kind `convolution`. With `skip`, the output of the first is added before the last.
    The activation is a leaky ReLU, since networks this small die under a plain one;
    with `learned_slope` its slope is learned per filter.

    With `context` filters, a `Context` computes a gain for each filter of the last
    hidden layer from the whole picture, so that the network can tell sharp from soft
    pictures; 12 filters see differences at all scales. Pass its `gains` when restoring
    only a part of the picture.

    With `memory`, it has a parameter for `restore`, which draws each frame of a video
    towards the one before (see `kdsharp.models.memory`).
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
    context: int = 0
    memory: bool = False
    dtype: jnp.dtype = jnp.float32
    # Unused: there is no batch norm to synchronise.
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self,
        blurred: Float[Array, "b h w c"],
        *,
        gains: Float[Array, "b g"] | None = None,
        train: bool = False,
    ) -> Float[Array, "b h w c"]:
        if gains is None and self.context:
            look = Context(self.width, self.context, name="context")
            gains = look(blurred, train=train)
        x = layers.pad_to_multiple(blurred, self.factor).astype(self.dtype)
        x = fold(x, self.factor)
        x = layers.conv(self.width, self.ends, "conv1", self.dtype)(x)
        first = x = self._activate(x, 1)
        for layer in range(2, self.depth):
            x = self._activate(self._inner(f"conv{layer}")(x), layer)
        if self.skip:
            x = x + first
        if gains is not None:
            x = x * gains[:, None, None, :].astype(self.dtype)
        folded = self.channels * self.factor**2
        x = layers.residual_head(folded, self.dtype, f"conv{self.depth}", self.ends)(x)
        x = layers.crop_like(unfold(x, self.factor), blurred)
        if self.memory:
            self.param(SHARE, nn.initializers.constant(_FIRST_SHARE), ())
        return x.astype(blurred.dtype)

    def _inner(self, name: str) -> nn.Module:
        if self.convolution not in CONVOLUTIONS:
            raise choices.unknown("convolution", self.convolution, CONVOLUTIONS)
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
    """Computes a gain from 0 to 2 for each of `gains` filters from the whole picture.

    `filters` kernels of `size` x `size`, at `stride` on luma, are summarised by their
    mean absolute values and mean fourth powers, from which a small MLP computes the
    gains. The kernels start as differences at several scales: from random ones, the
    gains hardly learn. In training, noise is added to these statistics against
    overfitting, with a key named `context`.
    """

    outputs: int
    filters: int = 8
    size: int = 12
    stride: int = 8
    units: int = 16
    noise: float = 0.1

    def setup(self):
        shape = (self.size, self.size, 1, self.filters)
        self.look = self.param("look", _differences, shape, jnp.float32)
        self.hidden = nn.Dense(self.units)
        self.gains = nn.Dense(self.outputs, kernel_init=nn.initializers.zeros)

    def __call__(
        self, picture: Float[Array, "b h w c"], *, train: bool = False
    ) -> Float[Array, "b g"]:
        statistics = self.statistics(picture)
        if train and self.has_rng("context"):
            statistics = self.with_noise(statistics, self.make_rng("context"))
        return self.from_statistics(statistics)

    def statistics(self, picture: Float[Array, "b h w c"]) -> Float[Array, "b s"]:
        """The logarithms of the means, of about zero mean and unit variance."""
        luma = picture.astype(jnp.float32)
        if luma.shape[-1] == 3:
            luma = color.luma(luma)
        below, right = (max(0, self.size - side) for side in luma.shape[1:3])
        luma = jnp.pad(luma, ((0, 0), (0, below), (0, right), (0, 0)), mode="edge")
        seen = jax.lax.conv_general_dilated(
            luma,
            self.look,
            (self.stride, self.stride),
            "VALID",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        means = jnp.mean(jnp.abs(seen), axis=(1, 2))
        peaks = jnp.sqrt(jnp.sqrt(jnp.mean(seen**4, axis=(1, 2)) + 1e-14))
        return jnp.log(jnp.concatenate([means + 3e-4, peaks], axis=-1)) + 3

    def with_noise(
        self, statistics: Float[Array, "b s"], key: jax.Array
    ) -> Float[Array, "b s"]:
        """Adds the noise of training to statistics."""
        return statistics + self.noise * jax.random.normal(key, statistics.shape)

    def from_statistics(self, statistics: Float[Array, "b s"]) -> Float[Array, "b g"]:
        """Computes the gains."""
        x = nn.leaky_relu(self.hidden(statistics), 0.1)
        return 2 * jax.nn.sigmoid(self.gains(x))


def gains_of(
    model: nn.Module, variables: Mapping[str, Any], picture: Float[Array, "b h w c"]
) -> Float[Array, "b g"]:
    """Computes the gains of a network with a context."""
    assert isinstance(model, RealTime)
    context = Context(model.width, model.context)
    gains: Any = context.apply({"params": variables["params"]["context"]}, picture)
    return gains


def _differences(key, shape, dtype=jnp.float32):
    """Second and first differences, across and down, of 1, 2 and 4 pixels' means.

    Further kernels are random, with zero mean; none responds to flat areas.
    """
    size, _, _, count = shape
    kernels = []
    for weights, means in itertools.product(([1, -2, 1], [1, -1]), (1, 2, 4)):
        if len(weights) * means <= size:
            across = np.kron([weights], np.ones((means, means)))
            kernels += [_centred(across, size), _centred(across.T, size)]
    first = jnp.asarray(kernels[:count], dtype).transpose(1, 2, 0)[:, :, None]
    others = (size, size, 1, count - first.shape[-1])
    random = jax.random.normal(key, others, dtype) / size
    random -= jnp.mean(random, axis=(0, 1), keepdims=True)
    return jnp.concatenate([first, random], axis=-1)


def _centred(kernel: np.ndarray, size: int) -> np.ndarray:
    """A kernel of unit norm, in the middle of `size` x `size` zeros."""
    height, width = kernel.shape
    top, left = (size - height) // 2, (size - width) // 2
    canvas = np.zeros((size, size))
    canvas[top : top + height, left : left + width] = kernel / np.linalg.norm(kernel)
    return canvas


class Expanded(nn.Module):
    """A 3x3 convolution, overparameterised as a 3x3 and a 1x1 one and a shortcut.

    All three are linear and collapse into one kernel, which is what is computed, also
    in training. After Bhardwaj et al., "Collapsible Linear Blocks for Super-Efficient
    Super Resolution", MLSys 2022.
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
        kernel = collapse_kernel(wide, narrow).astype(self.dtype)
        y = jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return y + bias.astype(self.dtype)


def collapse_kernel(
    wide: Float[Array, "3 3 f p"], narrow: Float[Array, "p f"]
) -> Float[Array, "3 3 f f"]:
    """Collapses the weights of an expanded convolution into one 3x3 kernel."""
    return (
        jnp.einsum("hwip,po->hwio", wide, narrow)
        .at[1, 1]
        .add(jnp.eye(narrow.shape[-1], dtype=narrow.dtype))
    )


class Separable(nn.Module):
    """A depthwise separable convolution: depthwise 3x3, then 1x1."""

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
    """Space-to-depth: moves each `factor` x `factor` square of pixels to channels."""
    count, height, width, channels = x.shape
    x = x.reshape(count, height // factor, factor, width // factor, factor, channels)
    x = x.transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(count, height // factor, width // factor, -1)


def unfold(x: Float[Array, "b h w C"], factor: int) -> Float[Array, "b H W c"]:
    """Depth-to-space, the inverse of `fold`."""
    count, height, width, channels = x.shape
    x = x.reshape(count, height, width, factor, factor, channels // factor**2)
    x = x.transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(count, height * factor, width * factor, -1)


def _receptive_field(model: RealTime) -> ReceptiveField:
    factor = model.factor
    radius = 2 * (model.ends // 2) + model.depth - 2
    widest = max(model.width, model.channels * factor**2)
    filters = 2 * widest + (model.width if model.skip else 0)
    return spans.receptive_field(
        lambda span: span.halved(factor).convolved(radius).doubled(factor),
        factor,
        filters / factor**2,
    )


FAMILIES = {
    "real_time": Family(
        RealTime,
        receptive_field=_receptive_field,
        export="kdsharp.export.networks.real_time:real_time",
        folded=True,
    ),
}
