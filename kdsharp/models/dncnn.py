"""DnCNN: plain 3x3 convolutions that predict what blur took away.

Zhang, Zuo, Chen, Meng, Zhang, "Beyond a Gaussian Denoiser: Residual Learning of Deep
CNN for Image Denoising", IEEE TIP 2017.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

# Momentum of the running statistics. Short runs need them to settle within a few
# hundred steps.
_MOMENTUM = 0.9


class DnCNN(nn.Module):
    """`depth` convolutions of `width` filters, ReLU between, residual out.

    Batch norm follows the layers numbered in `norm_after` (the first layer is 1), or
    every inner layer when it is `'inner'`. Convolutions without one have a bias.
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
            x = nn.Conv(
                self.width,
                (3, 3),
                use_bias=layer not in normed,
                kernel_init=nn.initializers.he_normal(),
                dtype=self.dtype,
                name=f"conv{layer}",
            )(x)
            if layer in normed:
                x = nn.BatchNorm(
                    use_running_average=not train,
                    momentum=_MOMENTUM,
                    dtype=self.dtype,
                    axis_name=self.axis_name,
                    name=f"norm{layer}",
                )(x)
            x = nn.relu(x)
        # From zero, training starts at the input itself, not below it.
        x = nn.Conv(
            self.channels,
            (3, 3),
            kernel_init=nn.initializers.zeros,
            dtype=self.dtype,
            name=f"conv{self.depth}",
        )(x)
        return x.astype(blurred.dtype)
