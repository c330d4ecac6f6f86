"""Upper bounds of the speed on accelerators, by the roofline model; no measurement.

    python -m benchmarks.roofline

For every network: operations and bytes of a 1280x720 frame (forward) and of a training
step of 16 x 64 x 64 (forward and gradients) in bfloat16, and how many per second the
roofline allows. A layer takes as long as its operations at the peak rate or its bytes
at the memory bandwidth, whichever is longer. Where a network has too few filters to
fill a matrix unit (128 x 128 on the TPU, padded with zeros), the unused part counts as
work; depthwise convolutions take memory time alone. Optimiser, degradation, kernel
launches and communication between devices are not counted, so that real numbers are
lower.
"""

import argparse
import dataclasses
import sys
from collections.abc import Callable

import jax
import jax.numpy as jnp

from benchmarks import command, layers
from kdsharp import models
from kdsharp.evaluation import text
from kdsharp.training.state import init_variables

_BYTES = 2
_FRAME = (1, 720, 1280)
_BATCH = (16, 64, 64)


@dataclasses.dataclass(frozen=True)
class Device:
    """Peak rates, per second; products are padded to multiples of `unit`."""

    name: str
    operations: float
    bytes: float
    unit: int


# Dense bfloat16 and memory bandwidth, from the vendors' data sheets.
DEVICES = (
    Device("H200", 989e12, 4.8e12, 16),
    Device("TPU v5e", 197e12, 819e9, 128),
)

NETWORKS = {
    "teacher, DnCNN 17x64": {"name": "dncnn", "depth": 17, "width": 64},
    "student, DnCNN 8x32": {"name": "dncnn", "depth": 8, "width": 32},
    "rt-s": {"name": "real_time", "channels": 1},
    "plain CNN": {"name": "plain_cnn"},
    "light CNN": {"name": "light_cnn"},
    "U-Net": {"name": "unet"},
    "separable U-Net": {"name": "separable_unet"},
    "encoder-decoder": {"name": "encoder_decoder"},
    "SwinIR": {"name": "swinir"},
}


def seconds(layer: layers.Layer, device: Device) -> float:
    """The roofline time of a layer."""
    transfer = layer.elements * _BYTES / device.bytes
    if not layer.matrix:
        return transfer
    padded = [-(-n // device.unit) * device.unit for n in (layer.depth, layer.columns)]
    work = 2 * layer.rows * padded[0] * padded[1] * layer.groups
    return max(work / device.operations, transfer)


def frame_layers(arguments: dict) -> list[layers.Layer]:
    """The layers of a forward pass over one frame."""
    model, variables, pixels = _network(arguments, _FRAME)
    return layers.count(model.apply, variables, pixels)


def step_layers(arguments: dict) -> list[layers.Layer]:
    """The layers of a training step's forward pass and gradients."""
    model, variables, pixels = _network(arguments, _BATCH)

    def loss(params, collections, pixels):
        residual, _ = model.apply(
            {**collections, "params": params},
            pixels,
            train=True,
            mutable=["batch_stats"],
            rngs={"dropout": jax.random.key(0)},
        )
        return jnp.mean(residual**2)

    params = variables.pop("params")
    return layers.count(jax.grad(loss), params, variables, pixels)


def _network(arguments: dict, size: tuple[int, int, int]):
    model = models.create(**arguments)
    channels = arguments.get("channels", 3)
    variables = jax.eval_shape(
        lambda: init_variables(model, channels, jax.random.key(0))
    )
    return model, dict(variables), jax.ShapeDtypeStruct((*size, channels), jnp.float32)


def measure(arguments: argparse.Namespace) -> dict[str, list[dict]]:
    """Computes a row for each network, for frames and for training steps."""
    del arguments
    return {"frame": _rows(frame_layers, 1), "step": _rows(step_layers, _BATCH[0])}


def _rows(count: Callable[[dict], list[layers.Layer]], images: int) -> list[dict]:
    rows = []
    for network, arguments in NETWORKS.items():
        found = count(arguments)
        rows.append(
            {
                "network": network,
                "operations": sum(layer.operations for layer in found),
                "bytes": sum(layer.elements for layer in found) * _BYTES,
                "devices": {d.name: _bound(d, found, images) for d in DEVICES},
            }
        )
    return rows


def _bound(device: Device, found: list[layers.Layer], images: int) -> dict:
    total = sum(seconds(layer, device) for layer in found)
    memory_bound = sum(
        seconds(layer, device)
        for layer in found
        if seconds(layer, device) == layer.elements * _BYTES / device.bytes
    )
    work = sum(layer.operations for layer in found)
    return {
        "images_per_second": images / total,
        "bound_by": "memory" if memory_bound > total / 2 else "operations",
        "of_its_peak": work / total / device.operations,
    }


def report(results: dict[str, list[dict]]) -> str:
    """Formats a table of frames and a table of training steps."""
    parts = ["Estimates in bfloat16; nothing was measured on these devices."]
    titles = {"frame": "a frame of 1280x720", "step": "a step of 16 x 64 x 64"}
    for kind, title in titles.items():
        head = [title, "GFLOP", "MB", "FLOP a byte"]
        for device in DEVICES:
            head += [f"{device.name}: images/s", "bound by", "of its peak"]
        lines = [head]
        for row in results[kind]:
            work, moved = row["operations"], row["bytes"]
            cells = [
                f"{work / 1e9:,.1f}",
                f"{moved / 1e6:,.0f}",
                f"{work / moved:,.0f}",
            ]
            for bound in row["devices"].values():
                cells.append(f"{bound['images_per_second']:,.0f}")
                cells += [bound["bound_by"], f"{bound['of_its_peak']:.0%}"]
            lines.append([row["network"], *cells])
        parts.append(text.table(lines))
    return "\n\n".join(parts)


if __name__ == "__main__":
    sys.exit(command.run(__name__))
