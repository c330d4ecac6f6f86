"""Fits the context of a network to its other weights, which stay as they are.

A residual is linear in the gains of its filters, so the error of each picture is a
quadratic form in them. The forms are computed once; then thousands of steps take
seconds. Without this start, a context hardly learns in a short run.
"""

import logging
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float
from tqdm import tqdm

from kdsharp.core.objectives import comparisons
from kdsharp.data.sources import Source
from kdsharp.models.real_time import Context
from kdsharp.training import teaching
from kdsharp.training.step import Task, sharp_and_blurred
from kdsharp.training.validation import center_crops

logger = logging.getLogger(__name__)

# At most as many pictures, or frames of windows.
_PICTURES = 4800
# Frames that follow one another in the source, such as those of one clip, are read
# together, and as many are measured at once.
_BLOCK, _MEASURED = 8, 32
# Crops have few windows, whose statistics would be noisier than those of whole frames.
_STRIDE = 2
_STEPS, _BATCH, _RATE = 6000, 256, 1e-2


class Forms(NamedTuple):
    """The error of each picture as a function of the gains g.

    It is `error - 2 sums·g + g·products·g`; `input` is that of the blurred picture.
    """

    statistics: Float[Array, "n s"]
    products: Float[Array, "n g g"]
    sums: Float[Array, "n g"]
    error: Float[Array, "n"]
    input: Float[Array, "n"]


def fit(task: Task, params: dict, source: Source, size: int, harm: float) -> dict:
    """Returns the parameters with a context that suits the pictures of a source.

    `harm` is how much more a decibel lost weighs than one won.
    """
    model: Any = task.model
    context = Context(model.width, model.context, stride=_STRIDE)
    measured = jax.jit(partial(measure, model, context, params))
    frames = source[0]["sharp"].shape[-1] // 3
    count = min(_PICTURES // frames, len(source))
    logger.info("fitting the context to %d pictures", count * frames)
    parts = []
    for number, crops in enumerate(_crops(source, count, frames, size)):
        keys = jax.random.split(jax.random.key(number), len(crops["sharp"]))
        pairs = sharp_and_blurred(crops, keys, task.degrade, task.channels)
        sharp, blurred = map(teaching.each_frame, pairs)
        parts.append(jax.device_get(measured(sharp, blurred)))
    forms: Forms = jax.tree.map(lambda *fields: np.concatenate(fields), *parts)
    key = jax.random.key(task.seed)
    found = learn(context, params["context"], forms, key, harm)
    lost = lost_decibels(context, found, forms, forms.statistics)
    logger.info("the context's gain is %.2f dB over its input", -float(np.mean(lost)))
    return {**params, "context": found}


def _crops(
    source: Source, count: int, frames: int, size: int
) -> Iterator[dict[str, np.ndarray]]:
    """Central crops of `count` records from all over the source, in batches."""
    block = max(1, _BLOCK // frames)
    starts = np.linspace(0, len(source) - 1, -(-count // block), dtype=int)
    indices = [(start + n) % len(source) for start in starts for n in range(block)]
    indices, batch = indices[:count], max(1, _MEASURED // frames)
    for first in tqdm(range(0, count, batch), leave=False, delay=1):
        records = [source[int(i)] for i in indices[first : first + batch]]
        yield center_crops(records, size, len(records))


def measure(
    model: nn.Module,
    context: Context,
    params: dict,
    sharp: Float[Array, "b h w c"],
    blurred: Float[Array, "b h w c"],
) -> Forms:
    """Measures pictures, in a loop over them, since they take `g` residuals each."""

    def one(pair):
        sharp, blurred = (picture[None] for picture in pair)

        def residual(gains):
            return model.apply({"params": params}, blurred, gains=gains[None])[0]

        none = residual(jnp.zeros(context.outputs))
        each = jax.vmap(residual)(jnp.eye(context.outputs)) - none
        each = each.reshape(context.outputs, -1)
        left = (sharp - blurred)[0] - none
        count = left.size
        return Forms(
            context.apply({"params": params["context"]}, blurred, method="statistics")[
                0
            ],
            each @ each.T / count,
            each @ left.ravel() / count,
            jnp.mean(jnp.square(left)),
            jnp.mean(jnp.square(sharp - blurred)),
        )

    return jax.lax.map(one, (sharp, blurred))


def lost_decibels(
    context: Context, params: dict, forms: Forms, statistics: Float[Array, "n s"]
) -> Float[Array, "n"]:
    """The PSNR that each picture loses with the gains for these statistics."""
    gains = context.apply({"params": params}, statistics, method="from_statistics")
    error = (
        forms.error
        - 2 * jnp.einsum("ng,ng->n", forms.sums, gains)
        + jnp.einsum("ng,ngh,nh->n", gains, forms.products, gains)
    )
    return comparisons.decibels_lost(jnp.maximum(error, 0), forms.input)


def learn(
    context: Context, params: dict, forms: Forms, key: jax.Array, harm: float = 1.0
) -> dict:
    """Learns the gains from the forms; the kernels stay as they are."""
    kernels = {"look": params["look"]}
    learned = {name: value for name, value in params.items() if name != "look"}
    optimizer = optax.adam(optax.cosine_decay_schedule(_RATE, _STEPS))
    forms = jax.tree.map(jnp.asarray, forms)

    def loss(learned, forms, key):
        statistics = context.with_noise(forms.statistics, key)
        lost = lost_decibels(context, learned | kernels, forms, statistics)
        return jnp.mean(lost) + harm * jnp.mean(jax.nn.relu(lost))

    def step(carry, key):
        learned, state = carry
        chosen = jax.random.randint(key, (_BATCH,), 0, len(forms.error))
        some = jax.tree.map(lambda field: field[chosen], forms)
        grads = jax.grad(loss)(learned, some, jax.random.fold_in(key, 1))
        updates, state = optimizer.update(grads, state)
        return (optax.apply_updates(learned, updates), state), None

    carry = (learned, optimizer.init(learned))
    keys = jax.random.split(key, _STEPS)
    (learned, _), _ = jax.jit(partial(jax.lax.scan, step))(carry, keys)
    return kernels | jax.device_get(learned)
