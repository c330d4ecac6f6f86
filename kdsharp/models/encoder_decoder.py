"""A small encoder-decoder, the student of `gopro_swinir`."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from kdsharp.models import layers, spans
from kdsharp.models.family import Family, ReceptiveField

_MULTIPLE = 2


class EncoderDecoder(nn.Module):
    """An encoder-decoder with one downsampling; predicts the picture.

    3x3 convolution c-w, ReLU; 3x3 stride 2 w-2w, ReLU; a residual block at 2w (3x3,
    ReLU, 3x3, sum, ReLU); 4x4 transposed convolution stride 2 to w, ReLU; 3x3 w-c,
    sigmoid. All convolutions have a bias, and at stride 2 padding 1 as in PyTorch.
    """

    width: int = 64
    channels: int = 3
    dtype: jnp.dtype = jnp.float32
    # Unused: there is no batch norm to synchronise.
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, blurred: Float[Array, "b h w c"], *, train: bool = False
    ) -> Float[Array, "b h w c"]:
        x = layers.pad_to_multiple(blurred, _MULTIPLE)
        x = nn.relu(self._conv(self.width, "conv1")(x))
        x = nn.relu(self._conv(2 * self.width, "conv2", stride=2)(x))
        inner = nn.relu(self._conv(2 * self.width, "block_conv1")(x))
        x = nn.relu(x + self._conv(2 * self.width, "block_conv2")(inner))
        x = nn.ConvTranspose(
            self.width,
            (4, 4),
            (2, 2),
            # Padding of the dilated input: kernel - 1 - PyTorch's padding.
            padding=((2, 2), (2, 2)),
            dtype=self.dtype,
            name="up",
        )(x)
        x = layers.picture_head(self.channels, 3, "head")(nn.relu(x))
        return layers.to_residual(nn.sigmoid(x), blurred)

    def _conv(self, filters, name, stride=1):
        return nn.Conv(
            filters,
            (3, 3),
            stride,
            # At stride 2, `SAME` would pad on the other side.
            padding=1,
            kernel_init=nn.initializers.he_normal(),
            dtype=self.dtype,
            name=name,
        )


def _receptive_field(model: EncoderDecoder) -> ReceptiveField:
    def look(span: spans.Span) -> spans.Span:
        # The head; the 4x4 transposed convolution; the residual block.
        inner = span.convolved(1).interpolated().convolved(2)
        # The 3x3 convolution at stride 2; the first layer.
        return spans.Span(2 * inner.first - 1, 2 * inner.last + 1).convolved(1)

    return spans.receptive_field(look, _MULTIPLE, 3 * model.width)


FAMILIES = {
    "encoder_decoder": Family(
        EncoderDecoder,
        receptive_field=_receptive_field,
        export="kdsharp.export.networks.encoder_decoder:encoder_decoder",
        draws_picture=True,
    ),
}
