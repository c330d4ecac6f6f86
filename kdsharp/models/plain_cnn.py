"""Plain CNNs of a few convolutions with ReLU, which predict the picture.

`conference_dncnn` has a student of 3-32-32-3; `bicubic4_cnn` has a teacher of 3-64-64-3
and students of width 16.
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from kdsharp.models import layers, spans
from kdsharp.models.family import Family


class PlainCNN(nn.Module):
    """`depth` 3x3 convolutions of `width` filters, with bias and ReLU between."""

    depth: int = 3
    width: int = 32
    channels: int = 3
    dtype: jnp.dtype = jnp.float32
    # Unused: there is no batch norm to synchronise.
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, blurred: Float[Array, "b h w c"], *, train: bool = False
    ) -> Float[Array, "b h w c"]:
        x = blurred
        for layer in range(1, self.depth):
            x = layers.conv(self.width, 3, f"conv{layer}", self.dtype)(x)
            x = nn.relu(x)
        picture = layers.picture_head(self.channels, 3, f"conv{self.depth}")(x)
        return layers.to_residual(picture, blurred)


FAMILIES = {
    "plain_cnn": Family(
        PlainCNN,
        receptive_field=lambda model: spans.chain(model.depth, model.width),
        export="kdsharp.export.networks.chains:plain_cnn",
        draws_picture=True,
    ),
}
