"""DnCNN: plain 3x3 convolutions that predict the residual.

Zhang, Zuo, Chen, Meng, Zhang, "Beyond a Gaussian Denoiser: Residual Learning of Deep
CNN for Image Denoising", IEEE TIP 2017.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from kdsharp.models import layers, spans
from kdsharp.models.family import Family


class DnCNN(nn.Module):
    """`depth` convolutions of `width` filters with ReLU; predicts the residual.

    Batch norm follows the layers in `norm_after`, numbered from 1, or all inner layers
    if that is `'inner'`. Convolutions without batch norm have a bias.
    """

    depth: int = 17
    width: int = 64
    channels: int = 3
    norm_after: str | Sequence[int] = "inner"
    mean: Sequence[float] = (0.0,)
    dtype: jnp.dtype = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, blurred: Float[Array, "b h w c"], *, train: bool = False
    ) -> Float[Array, "b h w c"]:
        if self.norm_after == "inner":
            normed = set(range(2, self.depth))
        else:
            normed = set(self.norm_after)
        x = (blurred - jnp.asarray(self.mean)).astype(self.dtype)
        for layer in range(1, self.depth):
            norm = layer in normed
            x = layers.conv_norm(
                self, layer, x, self.width, norm=norm, bias=not norm, train=train
            )
            x = nn.relu(x)
        head = layers.residual_head(self.channels, self.dtype, f"conv{self.depth}")
        return head(x).astype(blurred.dtype)


FAMILIES = {
    "dncnn": Family(
        DnCNN,
        receptive_field=lambda model: spans.chain(model.depth, model.width),
        export="kdsharp.export.networks.chains:dncnn",
        without_norm={"norm_after": ()},
    ),
}
