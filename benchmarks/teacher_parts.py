"""The teacher's training step and its parts, each as a `Work` to be timed."""

import dataclasses
import functools
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import config_dict

from benchmarks import layers
from benchmarks.programs import Work
from kdsharp import models
from kdsharp.core import degradations, objectives
from kdsharp.data import atlas, crops
from kdsharp.models.batch_norm import BatchNorm
from kdsharp.training import calls, optimizers
from kdsharp.training.state import create_state, init_variables
from kdsharp.training.step import Task, train_step

_OPTIMIZER = config_dict.create(
    rule="muon",
    learning_rate=6e-3,
    schedule="constant",
    warmup_steps=0,
    weight_decay=0.0,
    clip_norm=0.0,
    accumulate=1,
)
# Passes over the features that a batch norm needs. Forward: one read for the
# statistics, one to normalise, one write. Backward: two reads for the sums, two for
# the result, one write.
_NORM_PASSES = 8
# Variants of the step: as training runs it, and two for comparison.
AS_TRAINED = ""
NO_NORM = "without batch norm"
ANY_ORDER = "sums in any order"


@dataclasses.dataclass(frozen=True)
class Size:
    """Sizes of the network, the batches and the device measurements."""

    depth: int = 17
    width: int = 64
    patch: int = 64
    batches: tuple[int, ...] = (128, 64, 256)
    # Side of the square matrices, bytes of the copy, pictures to crop from.
    matrix: int = 8192
    copied: int = 1 << 30
    pictures: int = 256
    steps: int = 20
    # Minimum duration of each measurement.
    min_seconds: float = 0.3


QUICK = Size(
    depth=3,
    width=8,
    patch=16,
    batches=(4, 2),
    matrix=256,
    copied=1 << 22,
    pictures=4,
    steps=2,
    min_seconds=0.01,
)


def rates(size: Size) -> dict[str, Work]:
    """Matrix products and a copy, which measure the device's peak rates."""
    works = {
        f"product, {dtype}": Work(jnp.dot, (jnp.ones((size.matrix,) * 2, dtype),) * 2)
        for dtype in ("bfloat16", "float32")
    }
    works["copy"] = Work(lambda x: x + 1, (jnp.ones(size.copied, jnp.uint8),))
    return works


def pieces(size: Size, dtype: str) -> dict[str, Work]:
    """The parts of a training step: layers and gradients, crops, blur, updates."""
    batch = size.batches[0]
    key = jax.random.key(0)
    shape = (batch, size.patch, size.patch)
    pixels = jax.random.uniform(key, (*shape, 3))
    features = jax.random.normal(key, (*shape, size.width), dtype)
    inner = size.depth - 2

    def gradients(module: nn.Module, times: int, x: jax.Array, **options) -> Work:
        variables = module.init(key, x)
        collections = {k: v for k, v in variables.items() if k != "params"}

        def total(params, x):
            result, _ = module.apply(
                {**collections, "params": params}, x, mutable=["batch_stats"], **options
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
    pictures, crop = _pictures(size)
    found["crops"] = Work(
        crop, (pictures, jnp.zeros(batch, jnp.int32), jax.random.split(key, batch))
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


def step(size: Size, batch: int, dtype: str, variant: str = AS_TRAINED) -> Work:
    """The training step as training runs it: several per call, all on the device."""
    task = _task(size, dtype, () if variant == NO_NORM else "inner")
    pictures, crop = _pictures(size)
    frozen = {"pictures": pictures}

    def take(state, frozen, rows):
        keys = jax.random.split(
            jax.random.fold_in(jax.random.key(0), state.step), batch
        )
        return train_step(task, state, {}, crop(frozen["pictures"], rows, keys))

    rows = jnp.zeros((size.steps, batch), jnp.int32)
    return Work(
        calls.loop_steps(take, size.steps),
        (_state(size, task.model.norm_after), frozen, rows, jnp.int32(size.steps)),
        steps=size.steps,
        donated=True,
        reproducible=variant != ANY_ORDER,
    )


def roofline(size: Size, batch: int, dtype: str, rate: float, bandwidth: float) -> dict:
    """Counts the operations of a step, and its roofline time at the given rates.

    `rate` is operations per second, `bandwidth` bytes per second.
    """
    task = _task(size, dtype, "inner")
    pixels = jax.ShapeDtypeStruct((batch, size.patch, size.patch, 3), np.uint8)
    counted = layers.count(
        lambda state, sharp: train_step(task, state, {}, {"sharp": sharp}),
        jax.eval_shape(lambda: _create_state(task)),
        pixels,
    )
    width = jnp.dtype(dtype).itemsize
    products = sum(
        max(layer.operations / rate, layer.elements * width / bandwidth)
        for layer in counted
    )
    features = batch * size.patch**2 * size.width * width
    norms = (size.depth - 2) * _NORM_PASSES * features / bandwidth
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
    """The initial state, which is the same for every batch size and dtype."""
    return _create_state(_task(size, "float32", norm_after))


def _create_state(task: Task):
    return create_state(
        init_variables(task.model, 3, jax.random.key(0)), task.optimizer
    )


@functools.cache
def _pictures(size: Size) -> tuple[atlas.Atlas, crops.Cropper]:
    places, height, width = atlas.pack([(4 * size.patch,) * 2] * size.pictures)
    pixels = np.random.default_rng(0).integers(0, 256, (height, 3 * width), np.uint8)
    pictures = atlas.Atlas({"sharp": pixels}, places)
    crop = crops.create(
        pictures, patch_size=size.patch, augment="dihedral", shrink=0.0, extremes=0.0
    )
    return jax.tree.map(jnp.asarray, pictures), crop
