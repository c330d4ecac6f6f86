"""Simplifies trained networks for inference.

Batch norm with fixed statistics is a scale and a shift per filter, which are folded
into the convolution before it. Expanded convolutions are collapsed into one kernel.
"""

from typing import Any

import flax.linen as nn
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from kdsharp import models
from kdsharp.errors import UserError


def fold(model: dict, variables: dict) -> tuple[dict, dict]:
    """Folds batch norm and collapses expanded convolutions.

    Returns the arguments and variables of the equivalent network. `model` holds the
    arguments of `models.create`, as on cards.
    """
    model, variables = collapse(model, variables)
    folded = fold_variables(variables)
    if not variables.get("batch_stats"):
        return dict(model), folded
    without_norm = models.find(model["name"]).without_norm
    if without_norm is None:
        raise UserError(f"model {model['name']!r} has no form without batch norm")
    return {**model, **without_norm}, folded


def collapse(model: dict, variables: dict) -> tuple[dict, dict]:
    """Collapses each expanded convolution into a plain one."""
    if model.get("convolution") != "expanded":
        return dict(model), variables
    params: dict[tuple, Any] = dict(flatten_dict(variables["params"]))
    for *scope, last in list(params):
        if last == "wide":
            wide, narrow = (params.pop((*scope, n)) for n in ("wide", "narrow"))
            params[*scope, "kernel"] = _collapse_kernel(wide, narrow)
    return (
        {**model, "convolution": "plain"},
        {**variables, "params": unflatten_dict(params)},
    )


def _collapse_kernel(wide: np.ndarray, narrow: np.ndarray) -> np.ndarray:
    """Collapses an expanded convolution into one kernel, as in `models.real_time`.

    In NumPy, so that it works without JAX.
    """
    kernel = np.einsum("hwip,po->hwio", np.asarray(wide), np.asarray(narrow))
    kernel[1, 1] += np.eye(kernel.shape[-1], dtype=kernel.dtype)
    return kernel


def fold_variables(variables: dict, epsilon: float = nn.BatchNorm.epsilon) -> dict:
    """Folds each `norm*` into the `conv*` of the same scope and number."""
    params: dict[tuple, Any] = dict(flatten_dict(variables["params"]))
    stats: dict[tuple, Any] = dict(flatten_dict(variables.get("batch_stats", {})))
    for *scope, norm in sorted({path[:-1] for path in stats}):
        conv = (*scope, norm.replace("norm", "conv", 1))
        norm = (*scope, norm)
        kernel = np.asarray(params[*conv, "kernel"], np.float64)
        bias = np.asarray(params.get((*conv, "bias"), 0.0), np.float64)
        mean = np.asarray(stats[*norm, "mean"], np.float64)
        variance = np.asarray(stats[*norm, "var"], np.float64)
        scale = np.asarray(params.pop((*norm, "scale"))) / np.sqrt(variance + epsilon)
        shift = np.asarray(params.pop((*norm, "bias")))
        params[*conv, "kernel"] = (kernel * scale).astype(np.float32)
        params[*conv, "bias"] = ((bias - mean) * scale + shift).astype(np.float32)
    return {"params": unflatten_dict(params), "batch_stats": {}}
