"""Where the time of the teacher's training step goes on this device.

    python -m kdsharp.evaluation.costs.teacher_step --json step.json
    python -m kdsharp.evaluation.costs.teacher_step --quick     # tiny, on a CPU

First what the device can do: a large matrix product, a large copy. Then whole steps as
training takes them, crops, blur, Muon and all, many in a call, beside the roofline: a
product takes its operations at the measured rate or its bytes at the measured rate,
whichever is longer, and each batch norm eight passes over its features. Then each kind
of layer by itself, forward and gradients, and how often a step has it. Operations and
bytes are of the compiled program, by XLA's own count.

What has not been compiled or begun after `--seconds` is left out, and named; a tiny
survey has all the time it needs.
"""

import concurrent.futures
import dataclasses
import functools
import json
import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags
from ml_collections import config_dict

from kdsharp import models
from kdsharp.base import atomic_files
from kdsharp.core import degradations, objectives
from kdsharp.data import crops, sheets
from kdsharp.evaluation import text
from kdsharp.evaluation.costs import layers
from kdsharp.models.batch_norm import BatchNorm
from kdsharp.training import calls, hosts, optimizers, parallel
from kdsharp.training.state import create_state, init_variables
from kdsharp.training.step import Task, train_step

_QUICK = flags.DEFINE_bool("quick", False, "Tiny sizes, to see that it works")
_JSON = flags.DEFINE_string("json", "", "Where the numbers are written, too")
_SECONDS = flags.DEFINE_float("seconds", 75, "After which nothing more is begun")

_OPTIMIZER = config_dict.create(
    rule="muon",
    learning_rate=6e-3,
    schedule="constant",
    warmup_steps=0,
    weight_decay=0.0,
    clip_norm=0.0,
    accumulate=1,
)
# Passes over a batch norm's features that a step cannot do without: two to measure and
# to normalise, one to write; for gradients two for sums, two for the result, one to
# write.
_NORM_PASSES = 8
_COMPILING = 8
# The step as training takes it, and what it is compared with.
_AS_TRAINED = ""
_NO_NORM = "without batch norm"
_ANY_ORDER = "sums in any order"


@dataclasses.dataclass(frozen=True)
class Size:
    """What is measured: of the network, the batches and the device."""

    depth: int = 17
    width: int = 64
    patch: int = 64
    batches: tuple[int, ...] = (128, 64, 256)
    # Side of the matrix, bytes of the copy, pictures to cut from.
    matrix: int = 8192
    copied: int = 1 << 30
    pictures: int = 256
    steps: int = 20
    # Seconds that each measurement takes at least.
    least: float = 0.3


QUICK = Size(
    depth=3,
    width=8,
    patch=16,
    batches=(4, 2),
    matrix=256,
    copied=1 << 22,
    pictures=4,
    steps=2,
    least=0.01,
)


@dataclasses.dataclass(frozen=True)
class Work:
    """A call to be timed, what it is given, and how often a step has it."""

    call: Callable
    arguments: tuple
    times: int = 1
    # Steps in a call, and whether its first argument is given up to its result.
    steps: int = 1
    given_up: bool = False
    # Whether the compiler has to choose what gives the same bits each time.
    reproducible: bool = True

    def compile(self):
        """Returns the program."""
        jitted = jax.jit(
            self.call,
            donate_argnums=(0,) if self.given_up else (),
            compiler_options=parallel.reproducible(jax.devices()[0].platform)
            if self.reproducible
            else None,
        )
        return jitted.lower(*self.arguments).compile()


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a program takes; operations and bytes by XLA's count."""

    milliseconds: float
    gigaflop: float
    gigabytes: float
    megabytes_held: float


def measure(work: Work, program, least: float) -> Cost:
    """Returns what the work costs, by as many calls as take `least` seconds."""
    arguments = list(work.arguments)
    if work.given_up:
        arguments[0] = jax.tree.map(jnp.copy, arguments[0])

    def take(count: int) -> float:
        began = time.perf_counter()
        for _ in range(count):
            result = program(*arguments)
            if work.given_up:
                arguments[0] = result[0]
        jax.block_until_ready(result)
        return time.perf_counter() - began

    take(1)
    count = max(1, int(least / max(take(1), 1e-6)))
    seconds = take(count) / count / work.steps
    counted = program.cost_analysis() or {}
    held = program.memory_analysis()
    return Cost(
        1e3 * seconds,
        counted.get("flops", 0.0) / 1e9,
        counted.get("bytes accessed", 0.0) / 1e9,
        getattr(held, "temp_size_in_bytes", 0) / 1e6,
    )


def rates(size: Size) -> dict[str, Work]:
    """Returns what tells the device's rates."""
    works = {
        f"product, {dtype}": Work(jnp.dot, (jnp.ones((size.matrix,) * 2, dtype),) * 2)
        for dtype in ("bfloat16", "float32")
    }
    works["copy"] = Work(lambda x: x + 1, (jnp.ones(size.copied, jnp.uint8),))
    return works


def pieces(size: Size, dtype: str) -> dict[str, Work]:
    """Returns a step's parts, each by itself."""
    batch = size.batches[0]
    key = jax.random.key(0)
    shape = (batch, size.patch, size.patch)
    pixels = jax.random.uniform(key, (*shape, 3))
    features = jax.random.normal(key, (*shape, size.width), dtype)
    inner = size.depth - 2

    def gradients(module: nn.Module, times: int, x: jax.Array, **options) -> Work:
        variables = module.init(key, x)
        held = {k: v for k, v in variables.items() if k != "params"}

        def total(params, x):
            result, _ = module.apply(
                {**held, "params": params}, x, mutable=["batch_stats"], **options
            )
            return jnp.sum(nn.relu(result).astype(jnp.float32))

        gradient = jax.grad(total, (0, 1))
        return Work(gradient, (variables["params"], x), times)

    conv = partial(nn.Conv, kernel_size=(3, 3), dtype=dtype)
    norm = partial(nn.BatchNorm, use_running_average=False, dtype=dtype)
    works = {
        "convolution between features": (conv(size.width, use_bias=False), inner),
        "last convolution": (conv(3), 1),
        "batch norm of Flax": (norm(), 0),
        "the same, statistics in bfloat16": (
            norm(force_float32_reductions=dtype == "float32"),
            0,
        ),
    }
    found = {
        name: gradients(module, times, features)
        for name, (module, times) in works.items()
    }
    norm = BatchNorm(0.9, dtype)
    found["batch norm"] = gradients(norm, inner, features, train=True)
    found["first convolution"] = gradients(conv(size.width), 1, pixels.astype(dtype))
    found["blur"] = Work(
        degradations.create("bicubic:2"), (jax.random.split(key, batch), pixels)
    )
    held, cut = _pictures(size)
    found["crops"] = Work(
        cut, (held, jnp.zeros(batch, jnp.int32), jax.random.split(key, batch))
    )
    params = init_variables(_network(size, dtype), 3, key)["params"]
    for rule in ("muon", "adam"):
        optimizer = optimizers.create(
            config_dict.ConfigDict({**_OPTIMIZER, "rule": rule}), None, 1
        )
        found[f"update by {rule.capitalize()}"] = Work(
            optimizer.update,
            (params, optimizer.init(params), params),
            times=int(rule == "muon"),
        )
    return found


def step(size: Size, batch: int, dtype: str, variant: str = _AS_TRAINED) -> Work:
    """Returns training as it is: several steps a call, all on the device."""
    task = _task(size, dtype, () if variant == _NO_NORM else "inner")
    held, cut = _pictures(size)
    frozen = {"pictures": held}

    def take(state, frozen, rows):
        keys = jax.random.split(
            jax.random.fold_in(jax.random.key(0), state.step), batch
        )
        return train_step(task, state, {}, cut(frozen["pictures"], rows, keys))

    rows = jnp.zeros((size.steps, batch), jnp.int32)
    return Work(
        calls.several(take, size.steps),
        (_state(size, task.model.norm_after), frozen, rows, jnp.int32(size.steps)),
        steps=size.steps,
        given_up=True,
        reproducible=variant != _ANY_ORDER,
    )


def paper(size: Size, batch: int, dtype: str, rate: float, copied: float) -> dict:
    """Returns the operations of a step's products, and its least milliseconds."""
    task = _task(size, dtype, "inner")
    pixels = jax.ShapeDtypeStruct((batch, size.patch, size.patch, 3), np.uint8)
    counted = layers.count(
        lambda state, sharp: train_step(task, state, {}, {"sharp": sharp}),
        jax.eval_shape(lambda: _begin(task)),
        pixels,
    )
    width = jnp.dtype(dtype).itemsize
    products = sum(
        max(layer.operations / rate, layer.elements * width / copied)
        for layer in counted
    )
    features = batch * size.patch**2 * size.width * width
    norms = (size.depth - 2) * _NORM_PASSES * features / copied
    return {
        "gigaflop": sum(layer.operations for layer in counted) / 1e9,
        "products_ms": 1e3 * products,
        "norms_ms": 1e3 * norms,
    }


def _network(size: Size, dtype: str, norm_after: object = "inner") -> nn.Module:
    return models.create(
        "dncnn", depth=size.depth, width=size.width, norm_after=norm_after, dtype=dtype
    )


def _task(size: Size, dtype: str, norm_after: object) -> Task:
    return Task(
        model=_network(size, dtype, norm_after),
        channels=3,
        objective=objectives.create({"mse": 1.0}),
        degrade=degradations.create("bicubic:2"),
        optimizer=optimizers.create(_OPTIMIZER, None, 1),
        seed=0,
    )


@functools.cache
def _state(size: Size, norm_after: object):
    """Returns the state before the first step: the same for each batch and dtype."""
    return _begin(_task(size, "float32", norm_after))


def _begin(task: Task):
    return create_state(
        init_variables(task.model, 3, jax.random.key(0)), task.optimizer
    )


@functools.cache
def _pictures(size: Size) -> tuple[sheets.Sheets, crops.Cut]:
    places, height, width = sheets.lay_out([(4 * size.patch,) * 2] * size.pictures)
    pixels = np.random.default_rng(0).integers(0, 256, (height, 3 * width), np.uint8)
    held = sheets.Sheets({"sharp": pixels}, places)
    cut = crops.create(
        held, patch_size=size.patch, augment="dihedral", shrink=0.0, extremes=0.0
    )
    return jax.tree.map(jnp.asarray, held), cut


def compile_all(works: Mapping[Any, Work], until: float) -> dict:
    """Returns the programs that are there in time, compiled side by side."""
    pool = concurrent.futures.ThreadPoolExecutor(_COMPILING)
    waiting = {name: pool.submit(work.compile) for name, work in works.items()}
    left = None if until == math.inf else max(0, until - time.monotonic())
    concurrent.futures.wait(waiting.values(), timeout=left)
    pool.shutdown(wait=False, cancel_futures=True)
    return {
        name: future.result()
        for name, future in waiting.items()
        if future.done() and not future.cancelled()
    }


def survey(size: Size, seconds: float) -> dict:
    """Returns all that was measured in so many seconds."""
    began = time.monotonic()
    wanted = {("rate", name): work for name, work in rates(size).items()}
    variants = [
        *((batch, "bfloat16", _AS_TRAINED) for batch in size.batches),
        (size.batches[0], "float32", _AS_TRAINED),
        (size.batches[0], "bfloat16", _NO_NORM),
        (size.batches[0], "bfloat16", _ANY_ORDER),
    ]
    for variant in variants:
        wanted[("step", *variant)] = step(size, *variant)
    for name, work in pieces(size, "bfloat16").items():
        wanted[("piece", name)] = work
    programs = compile_all(wanted, began + 0.75 * seconds)
    found = {
        name: measure(wanted[name], program, size.least)
        for name, program in programs.items()
        if time.monotonic() < began + seconds
    }
    result = _result(size, wanted, found)
    result["seconds"] = round(time.monotonic() - began, 1)
    result["left_out"] = [" ".join(map(str, n)) for n in wanted if n not in found]
    return result


def _result(size: Size, wanted: dict, found: dict) -> dict:
    device = jax.devices()[0]
    measured = {name[1]: 1e-3 * cost.milliseconds for name, cost in found.items()}
    copied = 2 * size.copied / measured["copy"]
    product = {
        dtype: 2 * size.matrix**3 / measured[f"product, {dtype}"]
        for dtype in ("bfloat16", "float32")
    }
    steps = []
    for name, cost in found.items():
        if name[0] != "step":
            continue
        _, batch, dtype, variant = name
        expected = paper(size, batch, dtype, product[dtype], copied)
        reached = expected["gigaflop"] * 1e9 / (1e-3 * cost.milliseconds)
        least = expected["products_ms"] + expected["norms_ms"] * (variant != _NO_NORM)
        steps.append(
            {
                "batch": batch,
                "dtype": dtype,
                "variant": variant,
                **dataclasses.asdict(cost),
                "products_gigaflop": expected["gigaflop"],
                "steps_per_second": 1e3 / cost.milliseconds,
                "of_the_matrix_rate": reached / product[dtype],
                "roofline_ms": least,
                "of_the_roofline": least / cost.milliseconds,
            }
        )
    return {
        "device": device.device_kind,
        "jax": jax.__version__,
        "network": f"DnCNN {size.depth}x{size.width}",
        "patch": size.patch,
        "product_flops": product,
        "copy_bytes_per_second": copied,
        "steps": steps,
        "pieces": {
            name[1]: dataclasses.asdict(cost) | {"times": wanted[name].times}
            for name, cost in found.items()
            if name[0] == "piece"
        },
    }


def tables(result: dict) -> str:
    """Returns the result as Markdown."""
    product = result["product_flops"]
    head = (
        f"{result['network']} on {result['device']}, JAX {result['jax']}: a matrix "
        f"product reaches {product['bfloat16'] / 1e12:.2f} TFLOP/s in bfloat16 and "
        f"{product['float32'] / 1e12:.2f} in float32, a copy "
        f"{result['copy_bytes_per_second'] / 1e9:,.1f} GB/s."
    )
    rows = [
        [
            f"step of {result['patch']}x{result['patch']}",
            "ms",
            "steps/s",
            "GFLOP",
            "GB",
            "MB held",
            "of the matrix rate",
            "roofline, ms",
            "of it",
        ]
    ]
    for held in result["steps"]:
        variant = held["variant"] and f", {held['variant']}"
        rows.append(
            [
                f"{held['batch']}, {held['dtype']}{variant}",
                f"{held['milliseconds']:.2f}",
                f"{held['steps_per_second']:.1f}",
                f"{held['products_gigaflop']:,.1f}",
                f"{held['gigabytes']:,.2f}",
                f"{held['megabytes_held']:,.0f}",
                f"{held['of_the_matrix_rate']:.0%}",
                f"{held['roofline_ms']:.2f}",
                f"{held['of_the_roofline']:.0%}",
            ]
        )
    parts = [["part, in bfloat16", "ms", "times", "ms a step", "GFLOP", "GB"]]
    for name, held in result["pieces"].items():
        parts.append(
            [
                name,
                f"{held['milliseconds']:.3f}",
                str(held["times"]),
                f"{held['times'] * held['milliseconds']:.2f}",
                f"{held['gigaflop']:,.2f}",
                f"{held['gigabytes']:,.3f}",
            ]
        )
    lines = [head, text.table(rows), text.table(parts)]
    if result["left_out"]:
        lines.append(f"Left out for want of time: {', '.join(result['left_out'])}.")
    return "\n\n".join(lines)


def main(argv: list[str]) -> None:
    """Prints the tables and writes the numbers."""
    del argv
    wanted = (QUICK, math.inf) if _QUICK.value else (Size(), _SECONDS.value)
    result = survey(*wanted)
    print(tables(result))
    if _JSON.value:
        atomic_files.write_text(Path(_JSON.value), json.dumps(result, indent=2) + "\n")
    if result["left_out"]:
        hosts.end(0)  # What still compiles would be waited for.


if __name__ == "__main__":
    app.run(main)
