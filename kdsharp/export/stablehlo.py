"""Networks as StableHLO, the input of XLA and other compilers.

The file is a zip archive of `program.bin`, for `jax.export.deserialize`;
`program.mlir`, the same program as portable bytecode; and `card.json`, the metadata.
"""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import core, export

from kdsharp import models
from kdsharp.export.network import TrainedNetwork
from kdsharp.models import real_time

_PROGRAM, _PORTABLE, _CARD = "program.bin", "program.mlir", "card.json"


def archive(network: TrainedNetwork, interface: str, dtype: str) -> bytes:
    """Exports the network for any batch size, height and width."""
    symbols = export.symbolic_shape("batch, height, width")
    pixels = np.uint8 if interface == "uint8" else np.float32
    shape = jax.ShapeDtypeStruct((*symbols, network.model.channels), pixels)
    restore = jax.jit(restorer(network, interface, dtype))
    exported = export.export(restore, platforms=("cpu", "cuda", "tpu"))(shape)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr(_PROGRAM, bytes(exported.serialize()))
        zipped.writestr(_PORTABLE, exported.mlir_module_serialized)
        zipped.writestr(_CARD, json.dumps(network.metadata(), indent=2))
    return content.getvalue()


def load(path: Path) -> Callable[[np.ndarray], jax.Array]:
    """Loads a file as a function from pixels to restored pixels."""
    with zipfile.ZipFile(path) as zipped:
        return export.deserialize(bytearray(zipped.read(_PROGRAM))).call


def restorer(network: TrainedNetwork, interface: str, dtype: str) -> Callable:
    """The function from pixels to restored pixels that is exported."""
    model = network.model.clone(dtype=jnp.dtype(dtype))
    multiple = models.receptive_field(network.model).multiple

    def restore(pixels):
        blurred = pixels.astype(jnp.float32)
        if interface == "uint8":
            blurred = blurred / 255
        height, width = blurred.shape[1:3]
        padded = _mirrored(_mirrored(blurred, 1, multiple), 2, multiple)
        more: dict[str, Any] = {}
        if network.has_context:
            more["gains"] = _gains(network, blurred)
        residual: Any = model.apply(network.variables, padded, **more)
        restored = jnp.clip(blurred + residual[:, :height, :width], 0, 1)
        if interface == "uint8":
            restored = jnp.round(restored * 255).astype(jnp.uint8)
        return restored

    return restore


def _gains(network: TrainedNetwork, blurred: jax.Array) -> jax.Array:
    """Computes the gains of pictures that are not padded to the network's grid."""
    model, params = network.model, network.params["context"]
    look = real_time.Context(model.width, model.context)
    for axis in (1, 2):
        size = blurred.shape[axis]
        there = jnp.arange(core.max_dim(size, look.size))
        blurred = jnp.take(blurred, jnp.minimum(there, size - 1), axis=axis)
    gains: Any = look.apply({"params": params}, blurred)
    return gains


def _mirrored(x: jax.Array, axis: int, multiple: int) -> jax.Array:
    """Pads to a multiple as networks do; the size may be symbolic."""
    if multiple == 1:
        return x
    size = x.shape[axis]
    there = jnp.arange((size + multiple - 1) // multiple * multiple) % (2 * size)
    return jnp.take(x, jnp.minimum(there, 2 * size - 1 - there), axis=axis)
