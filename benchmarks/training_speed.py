"""Speed of a training step on this machine, compared with the same step in PyTorch.

    pip install -e '.[torch]'
    python -m benchmarks.training_speed

GFLOP/s count three passes of direct convolution: forward, and the gradients of the
input and of the weights.
"""

import argparse
import importlib.util
import sys
from collections.abc import Callable
from functools import partial

import jax
import numpy as np

from benchmarks import command, step_flags
from benchmarks.jax_step import NETWORKS, jax_step, random_batch
from kdsharp.evaluation import text
from kdsharp.evaluation.bench.peak import matrix_product
from kdsharp.evaluation.bench.turns import alternate, timed
from kdsharp.training import parallel

Contender = Callable[[], object]

_PRODUCT = "matrix product"
_REFERENCE = "PyTorch eager"


def operations(depth: int, width: int, pixels: int) -> int:
    """Floating-point operations of the convolutions of a training step."""
    weights = 9 * (2 * 3 * width + (depth - 2) * width**2)
    return 3 * 2 * weights * pixels


def torch_step(
    network: dict, batch: np.ndarray, *, compiled: bool, bfloat16: bool
) -> Contender:
    """Creates a function that takes the same training step in PyTorch."""
    import torch

    module = _torch_network(torch, **network).to(memory_format=torch.channels_last)
    forward = torch.compile(module) if compiled else module
    optimizer = torch.optim.Adam(module.parameters(), 1e-4)

    def take() -> None:
        sharp = torch.from_numpy(batch).permute(0, 3, 1, 2).float() / 255
        blurred = sharp * 0.9
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            residual = forward(blurred)
        loss = torch.mean((blurred + residual.float() - sharp) ** 2)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return take


def _torch_network(torch, depth: int, width: int, norm_after):
    normed = range(2, depth) if norm_after == "inner" else norm_after
    layers = []
    for layer in range(1, depth):
        inputs = 3 if layer == 1 else width
        layers.append(
            torch.nn.Conv2d(inputs, width, 3, padding=1, bias=layer not in normed)
        )
        if layer in normed:
            layers.append(torch.nn.BatchNorm2d(width))
        layers.append(torch.nn.ReLU(inplace=True))
    layers.append(torch.nn.Conv2d(width, 3, 3, padding=1))
    return torch.nn.Sequential(*layers)


def contenders_for(network: dict, batch: np.ndarray) -> dict[str, Contender]:
    """Creates the training step in every implementation that this machine offers."""
    cores = len(jax.devices())
    ways = {"JAX, one device": jax_step(network, batch, device_count=1)}
    if cores > 1:
        many = partial(jax_step, network, batch, device_count=cores)
        ways["JAX, a device a core"] = many()
        ways["JAX, a device a core, bfloat16"] = many(dtype="bfloat16")
    if importlib.util.find_spec("torch"):
        for compiled in (False, True):
            for bfloat16 in (False, True):
                name = "PyTorch compiled" if compiled else "PyTorch eager"
                ways[name + (", bfloat16" if bfloat16 else "")] = torch_step(
                    network, batch, compiled=compiled, bfloat16=bfloat16
                )
    return ways


def add_arguments(parser: argparse.ArgumentParser) -> None:
    step_flags.add(parser, batch=16, patch=64)
    parser.add_argument(
        "--networks",
        nargs="+",
        choices=list(NETWORKS),
        default=["teacher", "student"],
        metavar="NETWORK",
        help=f"which to time: {', '.join(NETWORKS)}",
    )


def measure(arguments: argparse.Namespace) -> list[dict]:
    """Measures the seconds of every contender's step, for each network."""
    parallel.expose_cpu_cores(arguments.batch)
    shape = (arguments.batch, arguments.patch, arguments.patch, 3)
    batch = random_batch(*shape)
    product, product_operations = matrix_product()
    found = []
    for name in arguments.networks:
        network = NETWORKS[name]
        ways = {_PRODUCT: product, **contenders_for(network, batch)}
        turns = {way: timed(take) for way, take in ways.items()}
        count = operations(network["depth"], network["width"], batch.size // 3)
        found.append(
            {
                "network": name,
                "shape": shape,
                "operations": count,
                "product_operations": product_operations,
                "seconds": alternate(turns, arguments.rounds),
            }
        )
    return found


def report(results: list[dict]) -> str:
    """Formats a table for each network."""
    parts = []
    for found in results:
        seconds, count = found["seconds"], found["operations"]
        reference = _REFERENCE if _REFERENCE in seconds else "JAX, one device"
        lines = [["", "ms", "GFLOP/s", f"speed / {reference}"]]
        for way, times in seconds.items():
            work = found["product_operations"] if way == _PRODUCT else count
            ratio = np.median(np.divide(seconds[reference], times))
            lines.append(
                [
                    way,
                    f"{1e3 * np.median(times):.0f}",
                    f"{work / np.median(times) / 1e9:.0f}",
                    "" if way == _PRODUCT else f"{ratio:.2f}",
                ]
            )
        shape = "x".join(map(str, found["shape"]))
        title = f"{found['network']}, {count / 1e9:.0f} GFLOP a step of {shape}"
        parts.append(f"{title}\n{text.table(lines)}")
    return "\n\n".join(parts)


if __name__ == "__main__":
    sys.exit(command.run(__name__))
