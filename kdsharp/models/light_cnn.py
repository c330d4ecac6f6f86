"""A light CNN of convolution, batch norm and ReLU, the student of `helen_dncnn`.

The report names only its parts. The layout here: a 3x3 convolution, batch norm and ReLU
for each of `widths` (also in the first layer, unlike DnCNN), then a 3x3 convolution
with bias to the residual.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from kdsharp.models import layers, spans
from kdsharp.models.family import Family


class LightCNN(nn.Module):
    """Convolution, batch norm and ReLU for each of `widths`; predicts the residual.

    Without `norm`, convolutions have biases instead, as after folding batch norm.
    """

    widths: Sequence[int] = (32, 32, 32)
    channels: int = 3
    norm: bool = True
    dtype: jnp.dtype = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, blurred: Float[Array, "b h w c"], *, train: bool = False
    ) -> Float[Array, "b h w c"]:
        x = blurred
        for layer, width in enumerate(self.widths, start=1):
            x = layers.conv_norm(
                self, layer, x, width, norm=self.norm, bias=not self.norm, train=train
            )
            x = nn.relu(x)
        last = f"conv{len(self.widths) + 1}"
        head = layers.residual_head(self.channels, self.dtype, last)
        return head(x).astype(blurred.dtype)


FAMILIES = {
    "light_cnn": Family(
        LightCNN,
        receptive_field=lambda model: spans.chain(
            len(model.widths) + 1, max(model.widths)
        ),
        export="kdsharp.export.networks.chains:light_cnn",
        without_norm={"norm": False},
    ),
}
