"""What VGG16 sees in a picture: for a perceptual loss, no network that restores.

Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition", ICLR 2015.
"""

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

# Filters of the convolutions, by their number in torchvision's `vgg16().features`;
# 0 pools. Number 15, a ReLU, is the last of the third block.
_LAYERS = {0: 64, 2: 64, 4: 0, 5: 128, 7: 128, 9: 0, 10: 256, 12: 256, 14: 256}

# Of ImageNet.
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)

# The numbers of the convolutions.
CONVOLUTIONS = tuple(number for number, filters in _LAYERS.items() if filters)


class VGG16Features(nn.Module):
    """Maps pixels in [0, 1] to `features[:16]`: 256 maps, a quarter as high and wide.

    Luma counts as a grey picture.
    """

    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, pixels: Float[Array, "b h w c"]) -> Float[Array, "b H W 256"]:
        pixels = jnp.broadcast_to(pixels, (*pixels.shape[:-1], 3))
        x = (pixels - jnp.asarray(_MEAN)) / jnp.asarray(_DEVIATION)
        for number, filters in _LAYERS.items():
            if filters:
                x = nn.Conv(filters, (3, 3), dtype=self.dtype, name=f"conv{number}")(x)
                x = nn.relu(x)
            else:
                x = nn.max_pool(x, (2, 2), (2, 2))
        return x.astype(pixels.dtype)
