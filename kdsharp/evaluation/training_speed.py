"""How fast a training step is here, beside the same step in PyTorch.

    pip install -e '.[torch]'
    python -m kdsharp.evaluation.training_speed

Every contender takes its turn in every round, so that a machine whose speed drifts
drifts for all of them; the ratios hold where the milliseconds do not. GFLOP/s count
three passes of direct convolution (forward, gradient of the input, of the weights).
"""

import importlib.util
import time
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl import app, flags

from kdsharp import models
from kdsharp.core import objectives
from kdsharp.training import parallel
from kdsharp.training.state import create_state, init_variables
from kdsharp.training.step import Task, train_step

_BATCH = flags.DEFINE_integer("batch", 16, "Crops in a batch")
_PATCH = flags.DEFINE_integer("patch", 64, "Pixels along a side of a crop")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Turns of each contender")
_NETWORKS = flags.DEFINE_list("networks", ["teacher", "student"], "Which to time")

NETWORKS = {
    "teacher": {"depth": 17, "width": 64, "norm_after": "inner"},
    "student": {"depth": 8, "width": 32, "norm_after": (3, 6)},
}
Contender = Callable[[], None]


def operations(depth: int, width: int, pixels: int) -> int:
    """Returns the floating-point operations of a training step's convolutions."""
    weights = 9 * (2 * 3 * width + (depth - 2) * width**2)
    return 3 * 2 * weights * pixels


def jax_step(
    network: dict, batch: np.ndarray, *, device_count: int, dtype: str
) -> Contender:
    """Returns a call that takes one step, blurring left out, and waits for its end."""
    devices = parallel.create("jit", len(batch), device_count)
    task = Task(
        model=models.create("dncnn", **network, dtype=dtype),
        channels=3,
        objective=objectives.create({"mse": 1.0}),
        degrade=lambda keys, sharp: sharp * 0.9,
        optimizer=optax.adam(1e-4),
        seed=0,
    )
    variables = init_variables(task.model, 3, jax.random.key(0))
    state = devices.replicate(create_state(variables, task.optimizer))
    step = devices.compile(partial(train_step, task))

    def take() -> None:
        nonlocal state
        state, metrics = step(state, {}, devices.shard({"sharp": batch}))
        jax.block_until_ready((state, metrics))

    return take


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


def matrix_product() -> tuple[Contender, int]:
    """Returns a large float32 matrix product and its operations: the peak."""
    size = 2048
    matrix = jnp.ones((size, size))
    product = jax.jit(jnp.dot)
    return lambda: jax.block_until_ready(product(matrix, matrix)), 2 * size**3


def alternate(contenders: dict[str, Contender], rounds: int) -> dict[str, list[float]]:
    """Returns the seconds of every turn, after one that does not count."""
    for take in contenders.values():
        take()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, take in contenders.items():
            began = time.perf_counter()
            take()
            seconds[name].append(time.perf_counter() - began)
    return seconds


def contenders_for(network: dict, batch: np.ndarray) -> dict[str, Contender]:
    """Returns every way to take the step that this machine offers."""
    cores = len(jax.devices())
    ways = {
        "JAX, one device": jax_step(network, batch, device_count=1, dtype="float32")
    }
    if cores > 1:
        many = partial(jax_step, network, batch, device_count=cores)
        ways["JAX, a device a core"] = many(dtype="float32")
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
    batch = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    product, product_operations = matrix_product()
    for name in _NETWORKS.value:
        network = NETWORKS[name]
        count = operations(network["depth"], network["width"], batch.size // 3)
        ways = {"matrix product": product, **contenders_for(network, batch)}
        seconds = alternate(ways, _ROUNDS.value)
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
