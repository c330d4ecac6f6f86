"""VGG16 features for the perceptual loss.

Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition", ICLR 2015.
"""

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

# Filters of the convolutions by index in torchvision's `vgg16().features`; 0 is a
# pooling layer. Index 15, a ReLU, ends the third block.
_LAYERS = {0: 64, 2: 64, 4: 0, 5: 128, 7: 128, 9: 0, 10: 256, 12: 256, 14: 256}

# Mean and standard deviation of ImageNet.
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)

CONVOLUTIONS = tuple(number for number, filters in _LAYERS.items() if filters)


class VGG16Features(nn.Module):
    """Maps pixels in [0, 1] to `features[:16]`: 256 channels at 1/4 of the size.

    Luma is repeated to three channels.
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
