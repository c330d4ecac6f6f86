"""Rounds in training as int8 inference does, so that a network learns to bear it.

Kernels are rounded per filter, and what a convolution computes per batch, before its
activation, to 255 levels between the extremes. Inference rounds less: to ranges that
were calibrated, and with some runtimes only after the activation. Gradients pass
through as if nothing was rounded (the straight-through estimator). After Jacob et al.,
"Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", CVPR 2018.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from kdsharp.base import choices
from kdsharp.errors import UserError

# Steps between the extremes of an output, and between 0 and a kernel's largest weight.
_STEPS, _HALF = 255, 127
_KINDS = ("", "int8")


def check(kind: str, convolution: str) -> None:
    """Raises an error if `config.rounding` is unknown or the network cannot round."""
    if kind not in _KINDS:
        raise choices.unknown("rounding", kind, _KINDS[1:])
    if kind and convolution == "expanded":
        raise UserError(
            "config.rounding needs convolutions as they are computed: give "
            "--config.model.convolution=plain, and --config.init with a trained network"
        )


def kernels(params: dict) -> dict:
    """Rounds the kernels of all convolutions, each filter by its largest weight."""

    def rounded(path: tuple, weights: Any) -> Any:
        if path[-1].key != "kernel" or weights.ndim != 4:
            return weights
        largest = jnp.max(jnp.abs(weights), axis=(0, 1, 2), keepdims=True)
        return _round(weights, largest / _HALF)

    return jax.tree_util.tree_map_with_path(rounded, params)


@contextlib.contextmanager
def outputs(axis_name: str | None = None) -> Iterator[None]:
    """Rounds what convolutions compute while networks are applied in its body.

    With `axis_name`, the batch is spread over that axis.
    """

    def interceptor(call, args, kwargs, context):
        computed = call(*args, **kwargs)
        if not isinstance(context.module, nn.Conv) or context.method_name != "__call__":
            return computed
        fixed = jax.lax.stop_gradient(computed)
        low, high = jnp.min(fixed), jnp.max(fixed)
        if axis_name is not None:
            low = jax.lax.pmin(low, axis_name)
            high = jax.lax.pmax(high, axis_name)
        return _round(computed, (high - low) / _STEPS)

    with nn.intercept_methods(interceptor):
        yield


def _round(values: Float[Array, "..."], step: Float[Array, "..."]) -> Array:
    step = jax.lax.stop_gradient(jnp.where(step > 0, step, 1))
    return values + jax.lax.stop_gradient(jnp.round(values / step) * step - values)
