"""How fast a training step is here, beside the same step in PyTorch.

    pip install -e '.[torch]'
    python -m kdsharp.evaluation.costs.training_speed

GFLOP/s count three passes of direct convolution (forward, gradient of the input, of
the weights).
"""

import importlib.util
from collections.abc import Callable
from functools import partial

import jax
import numpy as np
from absl import app, flags

from kdsharp.evaluation.bench.peak import matrix_product
from kdsharp.evaluation.bench.turns import alternate, timed
from kdsharp.evaluation.costs.jax_step import NETWORKS, jax_step, random_batch
from kdsharp.training import parallel

_BATCH = flags.DEFINE_integer("batch", 16, "Crops in a batch")
_PATCH = flags.DEFINE_integer("patch", 64, "Pixels along a side of a crop")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Turns of each contender")
_NETWORKS = flags.DEFINE_list("networks", ["teacher", "student"], "Which to time")

Contender = Callable[[], object]


def operations(depth: int, width: int, pixels: int) -> int:
    """Returns the floating-point operations of a training step's convolutions."""
    weights = 9 * (2 * 3 * width + (depth - 2) * width**2)
    return 3 * 2 * weights * pixels


def torch_step(
    network: dict, batch: np.ndarray, *, compiled: bool, bfloat16: bool
) -> Contender:
    """Returns the same call for the same network in PyTorch, channels last."""
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
    """Returns every way to take the step that this machine offers."""
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


def main(argv: list[str]) -> None:
    """Prints a table a network."""
    del argv
    parallel.show_cores(_BATCH.value)
    shape = (_BATCH.value, _PATCH.value, _PATCH.value, 3)
    batch = random_batch(*shape)
    product, product_operations = matrix_product()
    for name in _NETWORKS.value:
        network = NETWORKS[name]
        count = operations(network["depth"], network["width"], batch.size // 3)
        ways = {"matrix product": product, **contenders_for(network, batch)}
        turns = {way: timed(take) for way, take in ways.items()}
        seconds = alternate(turns, _ROUNDS.value)
        reference = "PyTorch eager" if "PyTorch eager" in ways else "JAX, one device"
        print(
            f"\n{name}, {count / 1e9:.0f} GFLOP a step of {'x'.join(map(str, shape))}"
        )
        print(f"| {'':30} |     ms | GFLOP/s | speed / {reference} |")
        print(f"| {'-' * 30} | -----: | ------: | --: |")
        for way, times in seconds.items():
            work = product_operations if way == "matrix product" else count
            ratio = np.median(np.divide(seconds[reference], times))
            ratio = "" if way == "matrix product" else f"{ratio:.2f}"
            print(
                f"| {way:30} | {1e3 * np.median(times):6.0f} "
                f"| {work / np.median(times) / 1e9:7.0f} | {ratio} |"
            )


if __name__ == "__main__":
    app.run(main)
