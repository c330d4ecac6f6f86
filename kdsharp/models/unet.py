"""U-Nets, the teacher and the student of `celeba_unet`.

Ronneberger, Fischer, Brox, "U-Net: Convolutional Networks for Biomedical Image
Segmentation", MICCAI 2015. Sizes that are not divisible by 2 per level are padded by
mirroring below and right, and cropped at the end.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from kdsharp.models import layers, spans
from kdsharp.models.family import Family, ReceptiveField


class UNet(nn.Module):
    """A U-Net with a level for each of `widths`, the last of which is the bottleneck.

    A level has two times a 3x3 convolution with bias, batch norm and leaky ReLU.
    Downsampling is 2x2 max pooling, upsampling 2x2 transposed convolution; skips are
    concatenated after the upsampled features. Dropout follows the bottleneck; training
    needs a key named `dropout`. The network predicts the picture.
    """

    widths: Sequence[int] = (32, 64, 128)
    channels: int = 3
    dropout: float = 0.3
    slope: float = 0.1
    # Whether the output goes through a sigmoid.
    sigmoid: bool = False
    # False for weights with batch norm folded into the convolutions.
    norm: bool = True
    # The momentum of batch renormalisation, 0 for batch norm: normalised by the
    # statistics of a small batch, pictures lose their brightness.
    renorm: float = 0.0
    dtype: jnp.dtype = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, blurred: Float[Array, "b h w c"], *, train: bool = False
    ) -> Float[Array, "b h w c"]:
        *sides, deepest = self.widths
        x = layers.pad_to_multiple(blurred, self.multiple).astype(self.dtype)
        skips = []
        for level, filters in enumerate(sides, start=1):
            x = self._level(filters, f"encoder{level}")(x, train=train)
            skips.append(x)
            x = nn.max_pool(x, (2, 2), (2, 2))
        x = self._level(deepest, "bottleneck")(x, train=train)
        x = layers.Dropout(self.dropout, self.axis_name, name="dropout_bottleneck")(
            x, train=train
        )
        for level, filters in reversed(list(enumerate(sides, start=1))):
            x = nn.ConvTranspose(
                filters,
                (2, 2),
                (2, 2),
                padding="VALID",
                dtype=self.dtype,
                name=f"up{level}",
            )(x)
            x = jnp.concatenate([x, skips.pop()], axis=-1)
            x = self._level(filters, f"decoder{level}")(x, train=train)
        x = layers.picture_head(self.channels, 1, "head")(x)
        return layers.to_residual(nn.sigmoid(x) if self.sigmoid else x, blurred)

    @property
    def multiple(self) -> int:
        """The downsampling factor of the bottleneck, to which inputs are padded."""
        return 2 ** (len(self.widths) - 1)

    def _level(self, filters, name):
        return _Level(
            filters,
            self.slope,
            self.norm,
            self.renorm,
            self.dtype,
            self.axis_name,
            name=name,
        )


class _Level(nn.Module):
    """Two times a 3x3 convolution with bias, batch norm and leaky ReLU."""

    width: int
    slope: float
    norm: bool
    renorm: float
    dtype: jnp.dtype
    axis_name: str | None

    @nn.compact
    def __call__(self, x, *, train):
        for layer in (1, 2):
            x = layers.conv_norm(
                self,
                layer,
                x,
                self.width,
                norm=self.norm,
                bias=True,
                train=train,
                renorm=self.renorm,
            )
            x = nn.leaky_relu(x, self.slope)
        return x


class SeparableUNet(nn.Module):
    """A U-Net of separable 3x3 convolutions with added skips; predicts the picture.

    Encoder: c-a, pool, a-b, pool. Bottleneck: b-b, dilation 2. Decoder, twice: 1x1
    convolution, bilinear upsampling, skip added, separable convolution. Refinement:
    a-r, then 1x1 to the picture and a sigmoid. A separable convolution is a depthwise
    3x3 without bias, a pointwise one with bias, and a leaky ReLU.
    """

    widths: Sequence[int] = (32, 64)
    refinement: int = 8
    channels: int = 3
    slope: float = 0.1
    dtype: jnp.dtype = jnp.float32
    # Unused: there is no batch norm to synchronise.
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, blurred: Float[Array, "b h w c"], *, train: bool = False
    ) -> Float[Array, "b h w c"]:
        x = layers.pad_to_multiple(blurred, self.multiple).astype(self.dtype)
        skips = []
        for level, filters in enumerate(self.widths, start=1):
            x = self._separable(x, filters, f"encoder{level}")
            skips.append(x)
            x = nn.max_pool(x, (2, 2), (2, 2))
        x = self._separable(x, self.widths[-1], "bottleneck", dilation=2)
        for level, filters in reversed(list(enumerate(self.widths, start=1))):
            # Before upsampling, for the same result at a quarter of the cost.
            x = nn.Conv(filters, (1, 1), dtype=self.dtype, name=f"up{level}")(x)
            x = layers.double_bilinear(x) + skips.pop()
            x = self._separable(x, filters, f"decoder{level}")
        x = self._separable(x, self.refinement, "refinement")
        x = layers.picture_head(self.channels, 1, "head")(x)
        return layers.to_residual(nn.sigmoid(x), blurred)

    @property
    def multiple(self) -> int:
        """The downsampling factor of the bottleneck, to which inputs are padded."""
        return 2 ** len(self.widths)

    def _separable(
        self, x: jax.Array, filters: int, name: str, dilation: int = 1
    ) -> jax.Array:
        x = nn.Conv(
            x.shape[-1],
            (3, 3),
            kernel_dilation=dilation,
            feature_group_count=x.shape[-1],
            use_bias=False,
            dtype=self.dtype,
            name=f"{name}_depthwise",
        )(x)
        x = nn.Conv(
            filters,
            (1, 1),
            kernel_init=nn.initializers.he_normal(),
            dtype=self.dtype,
            name=f"{name}_pointwise",
        )(x)
        return nn.leaky_relu(x, self.slope)


def _receptive_field(model: UNet) -> ReceptiveField:
    levels = len(model.widths) - 1

    def look(span: spans.Span) -> spans.Span:
        for _ in range(levels):
            span = span.convolved(2).halved()
        span = span.convolved(2)
        for _ in range(levels):
            span = span.doubled().convolved(2)
        return span

    return spans.receptive_field(look, model.multiple, 4 * model.widths[0])


def _separable_receptive_field(model: SeparableUNet) -> ReceptiveField:
    levels = len(model.widths)

    def look(span: spans.Span) -> spans.Span:
        span = span.convolved(1)
        for _ in range(levels):
            span = span.convolved(1).interpolated()
        span = span.convolved(2)
        for _ in range(levels):
            span = span.doubled().convolved(1)
        return span

    return spans.receptive_field(look, model.multiple, 4 * model.widths[0])


FAMILIES = {
    "unet": Family(
        UNet,
        receptive_field=_receptive_field,
        export="kdsharp.export.networks.unets:unet",
        draws_picture=True,
        without_norm={"norm": False},
    ),
    "separable_unet": Family(
        SeparableUNet,
        receptive_field=_separable_receptive_field,
        export="kdsharp.export.networks.unets:separable_unet",
        draws_picture=True,
    ),
}
