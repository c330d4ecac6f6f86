"""Layers that several networks share."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from kdsharp.models.batch_norm import BatchNorm

# Momentum of running statistics, which converge in a few hundred steps in short runs.
_MOMENTUM = 0.9


def conv(
    filters: int, size: int, name: str, dtype: jnp.dtype, *, bias: bool = True
) -> nn.Conv:
    """A convolution with He initialisation, to be followed by a ReLU variant."""
    return nn.Conv(
        filters,
        (size, size),
        use_bias=bias,
        kernel_init=nn.initializers.he_normal(),
        dtype=dtype,
        name=name,
    )


def conv_norm(
    network: nn.Module,
    number: int,
    x: Float[Array, "b h w c"],
    filters: int,
    *,
    norm: bool,
    bias: bool,
    train: bool,
    renorm: float = 0.0,
) -> Float[Array, "b h w f"]:
    """Applies a 3x3 convolution `conv{number}` and, with `norm`, `norm{number}`.

    Batch statistics span the devices of the network's `axis_name`. `renorm` is the
    momentum of batch renormalisation, 0 for batch norm.
    """
    x = conv(filters, 3, f"conv{number}", network.dtype, bias=bias)(x)
    if not norm:
        return x
    name = f"norm{number}"
    if renorm:
        kept = BatchRenorm(
            use_running_average=not train,
            momentum=renorm,
            dtype=network.dtype,
            axis_name=network.axis_name,
            name=name,
        )
        return kept(x)
    norm_ = BatchNorm(_MOMENTUM, network.dtype, network.axis_name, name=name)
    return norm_(x, train=train)


class BatchRenorm(nn.Module):
    """Batch renormalisation: running statistics in training, with batch gradients.

    The forward pass does not depend on the brightness of the other pictures in a batch;
    gradients flow through the batch statistics all the same. After Ioffe, "Batch
    Renormalization", NeurIPS 2017, without limits on the correction. Parameters,
    statistics and inference are those of Flax's batch norm.
    """

    use_running_average: bool
    momentum: float
    dtype: jnp.dtype
    axis_name: str | None

    @nn.compact
    def __call__(self, x: Float[Array, "b h w f"]) -> Float[Array, "b h w f"]:
        filters = x.shape[-1:]
        mean, variance = (
            self.variable("batch_stats", name, start, filters)
            for name, start in (("mean", jnp.zeros), ("var", jnp.ones))
        )
        scale = self.param("scale", nn.initializers.ones, filters)
        bias = self.param("bias", nn.initializers.zeros, filters)
        x = x.astype(jnp.float32)
        deviation = jnp.sqrt(variance.value + nn.BatchNorm.epsilon)
        if self.use_running_average or self.is_initializing():
            y = (x - mean.value) / deviation
        else:
            moments = jnp.mean(x, (0, 1, 2)), jnp.mean(jnp.square(x), (0, 1, 2))
            if self.axis_name is not None:
                moments = jax.lax.pmean(moments, self.axis_name)
            its_mean = moments[0]
            its_variance = jnp.maximum(moments[1] - jnp.square(its_mean), 0)
            its_deviation = jnp.sqrt(its_variance + nn.BatchNorm.epsilon)
            wider = jax.lax.stop_gradient(its_deviation / deviation)
            brighter = jax.lax.stop_gradient((its_mean - mean.value) / deviation)
            y = (x - its_mean) / its_deviation * wider + brighter
            momentum = self.momentum
            mean.value = momentum * mean.value + (1 - momentum) * its_mean
            variance.value = momentum * variance.value + (1 - momentum) * its_variance
        return (y * scale + bias).astype(self.dtype)


def residual_head(channels: int, dtype: jnp.dtype, name: str, size: int = 3) -> nn.Conv:
    """The last convolution of a network that predicts the residual.

    It is initialised to zero, so that training starts from the identity.
    """
    return nn.Conv(
        channels,
        (size, size),
        kernel_init=nn.initializers.zeros,
        dtype=dtype,
        name=name,
    )


def picture_head(channels: int, size: int, name: str) -> nn.Conv:
    """The last convolution of a network that predicts the picture.

    It computes in float32, since bfloat16 has too few bits for a picture.
    """
    return nn.Conv(channels, (size, size), dtype=jnp.float32, name=name)


def to_residual(
    picture: Float[Array, "b H W c"], blurred: Float[Array, "b h w c"]
) -> Float[Array, "b h w c"]:
    """Crops a predicted picture and converts it to the residual from `blurred`."""
    return crop_like(picture, blurred).astype(blurred.dtype) - blurred


def pad_to_multiple(
    x: Float[Array, "b h w c"], multiple: int
) -> Float[Array, "b H W c"]:
    """Pads height and width to a multiple, by mirroring below and right."""
    height, width = x.shape[1:3]
    below, right = -height % multiple, -width % multiple
    return jnp.pad(x, ((0, 0), (0, below), (0, right), (0, 0)), mode="symmetric")


def crop_like(
    x: Float[Array, "b H W c"], picture: Float[Array, "b h w c"]
) -> Float[Array, "b h w c"]:
    """Crops `x` to the height and width of `picture`, at the top left."""
    return x[:, : picture.shape[1], : picture.shape[2]]


def double_bilinear(x: Float[Array, "b h w c"]) -> Float[Array, "b H W c"]:
    """Doubles height and width by bilinear interpolation."""
    for axis in (1, 2):
        # New pixels are 1/4 of a pixel to either side of an old one.
        size = x.shape[axis]
        first = jax.lax.slice_in_dim(x, 0, 1, axis=axis)
        last = jax.lax.slice_in_dim(x, size - 1, size, axis=axis)
        wide = jnp.concatenate([first, x, last], axis)
        before = jax.lax.slice_in_dim(wide, 0, size, axis=axis)
        after = jax.lax.slice_in_dim(wide, 2, size + 2, axis=axis)
        pairs = [0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after]
        shape = list(x.shape)
        shape[axis] *= 2
        x = jnp.stack(pairs, axis + 1).reshape(shape)
    return x


class Dropout(nn.Module):
    """Dropout whose masks do not depend on the number of devices.

    The mask of a picture depends on its index in the global batch; every device has to
    be given the same key.
    """

    rate: float
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], *, train: bool = False
    ) -> Float[Array, "b h w c"]:
        if not train or not self.rate:
            return x
        index = jnp.arange(x.shape[0])
        if self.axis_name is not None:
            index += jax.lax.axis_index(self.axis_name) * x.shape[0]
        key = self.make_rng("dropout")
        keep = jax.vmap(
            lambda i: jax.random.bernoulli(
                jax.random.fold_in(key, i), 1 - self.rate, x.shape[1:]
            )
        )(index)
        return jnp.where(keep, x / (1 - self.rate), jnp.zeros_like(x))
