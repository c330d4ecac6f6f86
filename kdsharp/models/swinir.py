"""SwinIR: attention within windows, shifted by half a window in every other block.

Liang, Cao, Sun, Zhang, Van Gool, Timofte, "SwinIR: Image Restoration Using Swin
Transformer", ICCVW 2021. This is the form for denoising and JPEG artifacts: no
upsampling, and one convolution after each group (`1conv`). Layers and constants are the
published ones, so that published weights can be imported; stochastic depth in training
is left out.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from kdsharp.errors import UserError
from kdsharp.models import layers, spans
from kdsharp.models.family import Family, ReceptiveField

# The light size: 905,283 parameters instead of 11,504,163.
LIGHT = {"depths": (6, 6, 6, 6), "width": 60, "heads": (6, 6, 6, 6)}

# The mean of DIV2K (EDSR, 2017).
_MEAN_RGB = (0.4488, 0.4371, 0.4040)
# Added to the attention logits of masked pairs of pixels.
MASK_LOGIT = -100.0
EPSILON = 1e-5


class SwinIR(nn.Module):
    """`depths[i]` transformer blocks with `heads[i]` heads in group i.

    The input is scaled to `(x - mean) * img_range`; by default `mean` is that of DIV2K
    for RGB and 0 for luma. `remat` saves memory by recomputing the blocks for
    gradients.
    """

    depths: Sequence[int] = (6, 6, 6, 6, 6, 6)
    width: int = 180
    heads: Sequence[int] = (6, 6, 6, 6, 6, 6)
    window: int = 8
    mlp_ratio: float = 2.0
    channels: int = 3
    img_range: float = 1.0
    mean: Sequence[float] | None = None
    remat: bool = False
    dtype: jnp.dtype = jnp.float32
    # Unused: there is no batch norm to synchronise.
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, blurred: Float[Array, "b h w c"], *, train: bool = False
    ) -> Float[Array, "b h w c"]:
        if len(self.depths) != len(self.heads):
            raise UserError(
                f"swinir has {len(self.depths)} depths but {len(self.heads)} heads; "
                "give one of each per group"
            )
        x = layers.pad_to_multiple(blurred, self.window)
        x = ((x - jnp.asarray(self.mean_color())) * self.img_range).astype(self.dtype)
        shallow = self._conv(self.width, "conv_first")(x)
        # Shared by all blocks, since it depends on the size alone.
        mask = shift_mask(x.shape[1], x.shape[2], self.window)
        block = nn.remat(_Block) if self.remat else _Block
        x = _layer_norm(self.dtype, "norm_first")(shallow)
        for group, (depth, heads) in enumerate(
            zip(self.depths, self.heads, strict=True)
        ):
            start = x
            for layer in range(depth):
                x = block(
                    heads,
                    self.window,
                    shift=self.window // 2 if layer % 2 else 0,
                    hidden=round(self.width * self.mlp_ratio),
                    dtype=self.dtype,
                    name=f"group{group}_block{layer}",
                )(x, mask)
            x = start + self._conv(self.width, f"group{group}_conv")(x)
        x = _layer_norm(self.dtype, "norm_last")(x)
        x = shallow + self._conv(self.width, "conv_body")(x)
        x = layers.residual_head(self.channels, self.dtype, "conv_last")(x)
        return layers.crop_like(x.astype(blurred.dtype) / self.img_range, blurred)

    def mean_color(self) -> Sequence[float]:
        """The mean to subtract: one number per channel, or one for all."""
        if self.mean is None:
            return _MEAN_RGB if self.channels == 3 else (0.0,)
        return self.mean

    def _conv(self, filters, name):
        return nn.Conv(filters, (3, 3), dtype=self.dtype, name=name)


class _Block(nn.Module):
    """A transformer block: window attention and an MLP, both pre-norm and residual."""

    heads: int
    window: int
    shift: int
    hidden: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x, mask):
        height, width = x.shape[1:3]
        y = _layer_norm(self.dtype, "norm1")(x)
        if self.shift:
            y = jnp.roll(y, (-self.shift, -self.shift), (1, 2))
        y = to_windows(y, self.window)
        y = _Attention(self.heads, self.window, self.dtype, name="attention")(
            y, mask if self.shift else None
        )
        y = from_windows(y, self.window, height, width)
        if self.shift:
            y = jnp.roll(y, (self.shift, self.shift), (1, 2))
        x = x + y
        y = _layer_norm(self.dtype, "norm2")(x)
        y = _dense(self.hidden, self.dtype, "expand")(y)
        y = nn.gelu(y, approximate=False)
        return x + _dense(x.shape[-1], self.dtype, "contract")(y)


class _Attention(nn.Module):
    """Multi-head self-attention within windows, with relative position bias."""

    heads: int
    window: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x, mask):
        *lead, pixels, width = x.shape
        each = width // self.heads
        qkv = _dense(3 * width, self.dtype, "qkv")(x)
        q, k, v = jnp.moveaxis(qkv.reshape(*lead, pixels, 3, self.heads, each), -3, 0)
        table = self.param(
            "bias_table",
            nn.initializers.truncated_normal(0.02),
            ((2 * self.window - 1) ** 2, self.heads),
        )
        bias = table[offset_index(self.window)].transpose(2, 0, 1)
        logits = jnp.einsum("bnihd,bnjhd->bnhij", q * each**-0.5, k)
        logits = logits.astype(jnp.float32) + bias
        if mask is not None:
            logits += jnp.where(mask, MASK_LOGIT, 0.0)[:, None]
        attention = nn.softmax(logits).astype(self.dtype)
        x = jnp.einsum("bnhij,bnjhd->bnihd", attention, v)
        return _dense(width, self.dtype, "project")(x.reshape(*lead, pixels, width))


def to_windows(x: Float[Array, "b h w c"], window: int) -> Float[Array, "b n p c"]:
    """Partitions the picture into windows of `window * window` pixels, row by row."""
    b, h, w, c = x.shape
    x = x.reshape(b, h // window, window, w // window, window, c)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(b, -1, window * window, c)


def from_windows(
    x: Float[Array, "b n p c"], window: int, height: int, width: int
) -> Float[Array, "b h w c"]:
    """The inverse of `to_windows`."""
    b, c = x.shape[0], x.shape[-1]
    x = x.reshape(b, height // window, width // window, window, window, c)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(b, height, width, c)


def offset_index(window: int) -> Int[np.ndarray, "p p"]:
    """The row of the bias table for each pair of pixels in a window."""
    y, x = np.divmod(np.arange(window * window), window)
    down = y[:, None] - y[None, :] + window - 1
    right = x[:, None] - x[None, :] + window - 1
    return down * (2 * window - 1) + right


def shift_mask(height: int, width: int, window: int) -> Bool[Array, "n p p"]:
    """Masks pairs of pixels in shifted windows that are adjacent only by wrapping.

    It is computed from coordinates on the fly, since as a constant in an exported graph
    it would take 132 MB for a 1080p frame.
    """
    pixel = jax.lax.broadcasted_iota
    across = height, width, 1
    # Half of the last window is wrapped around from the other side.
    wrapped = [
        pixel(jnp.int32, across, axis) >= size - window // 2
        for axis, size in ((0, height), (1, width))
    ]
    region = to_windows((wrapped[0] * 2 + wrapped[1])[None], window)[0, :, :, 0]
    return region[:, :, None] != region[:, None, :]


def _layer_norm(dtype, name):
    return nn.LayerNorm(
        epsilon=EPSILON, use_fast_variance=False, dtype=dtype, name=name
    )


def _dense(features, dtype, name):
    return nn.Dense(
        features,
        kernel_init=nn.initializers.truncated_normal(0.02),
        dtype=dtype,
        name=name,
    )


def _receptive_field(model: SwinIR) -> ReceptiveField:
    window = model.window

    def look(span: spans.Span) -> spans.Span:
        # `conv_last` and `conv_body`.
        span = span.convolved(2)
        for depth in reversed(model.depths):
            span = span.convolved(1)
            for block in reversed(range(depth)):
                span = span.windowed(window, window // 2 if block % 2 else 0)
        return span.convolved(1)

    logits = 2 * max(model.heads) * window**2
    inner = (4 + model.mlp_ratio) * model.width
    return spans.receptive_field(look, window, logits + inner)


FAMILIES = {
    "swinir": Family(
        SwinIR,
        receptive_field=_receptive_field,
        export="kdsharp.export.networks.swinir:swinir",
    ),
}
