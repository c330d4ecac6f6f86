"""What degradations cost beside the training step that they feed.

    python -m kdsharp.evaluation.degradation_speed [SPEC ...]

Prints milliseconds for a batch of 16 pictures of 128x128 in RGB. Every round times the
step and each degradation once, so that a busy machine slows all of them alike.
"""

import sys
import time
from collections.abc import Callable, Iterable

import jax
import jax.numpy as jnp
import numpy as np
import optax

from kdsharp import models
from kdsharp.core import degradations
from kdsharp.errors import UserError

_SHAPE = (16, 128, 128, 3)
_ROUNDS = 7
_STEP = "training step"

# One of each, at the far end of what a recipe asks for.
SPECS = (
    "bicubic:2",
    "bicubic:1-4",
    "bilinear:1-4",
    "area:1-4",
    "lanczos:1-4",
    "gaussian:0.5-3",
    "gaussian:0.5-3,linear=1",
    "gaussian:0.5-3,across=0.5-3",
    "defocus:0.5-5",
    "motion:1-25",
    "shake:1-25",
    "noise:0-0.05",
    "shot:50-1000",
    "jpeg:20-90",
    "jpeg:20-90,chroma=444",
    "halo:0.5-1.5",
    "motion:1-15/defocus:0.5-4",
    "camera",
    "video_call",
)


def main(specs: Iterable[str] = ()) -> int:
    """Prints the table and returns the exit status."""
    try:
        timed = {spec: _degradation(spec) for spec in specs or SPECS}
    except UserError as error:
        print(f"kdsharp: {error}", file=sys.stderr)
        return 2
    seconds = measure({_STEP: _training_step(), **timed})
    step = seconds[_STEP]
    print(f"{_STEP}, 8x32 student: {1e3 * step:.0f} ms\n")
    print("| degradation                    |   ms | share of the step |")
    print("| ------------------------------ | ---: | ----------------: |")
    for spec in timed:
        share = seconds[spec] / step
        print(f"| {f'`{spec}`':30} | {1e3 * seconds[spec]:4.0f} | {share:17.3f} |")
    return 0


def measure(calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Returns the median seconds of each call, all of them timed in turns."""
    for call in calls.values():
        jax.block_until_ready(call())
    times = {name: [] for name in calls}
    for _ in range(_ROUNDS):
        for name, call in calls.items():
            start = time.perf_counter()
            jax.block_until_ready(call())
            times[name].append(time.perf_counter() - start)
    return {name: float(np.median(seconds)) for name, seconds in times.items()}


def _degradation(spec: str) -> Callable[[], object]:
    degrade = jax.jit(degradations.create(spec))
    keys = jax.random.split(jax.random.key(0), _SHAPE[0])
    sharp = jax.random.uniform(jax.random.key(1), _SHAPE)
    return lambda: degrade(keys, sharp)


def _training_step() -> Callable[[], object]:
    """Returns a call that takes one step: forward, backward, Adam."""
    student = models.create("dncnn", depth=8, width=32, norm_after=(3, 6))
    blurred = jax.random.uniform(jax.random.key(0), _SHAPE)
    variables = student.init(jax.random.key(1), blurred)
    params, statistics = variables["params"], variables["batch_stats"]
    optimizer = optax.adam(1e-3)

    @jax.jit
    def step(params, state):
        def loss(params):
            residual, _ = student.apply(
                {"params": params, "batch_stats": statistics},
                blurred,
                train=True,
                mutable=["batch_stats"],
            )
            return jnp.mean(jnp.square(residual + blurred))

        updates, state = optimizer.update(jax.grad(loss)(params), state, params)
        return optax.apply_updates(params, updates), state

    state = optimizer.init(params)
    return lambda: step(params, state)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
