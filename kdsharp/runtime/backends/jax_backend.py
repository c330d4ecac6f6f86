"""Runs networks in JAX, the backend that is always installed."""

import contextlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from kdsharp.errors import UserError
from kdsharp.export import levels
from kdsharp.runtime import tiling
from kdsharp.runtime.backends.backend import (
    Backend,
    Compute,
    Network,
    Plane,
    PlaneJob,
    RunFrames,
    RunPlane,
)

if TYPE_CHECKING:
    import flax.linen as nn

    from kdsharp.weights import store


def pictures(weights: "store.Weights", compute: Compute) -> Network:
    """Creates the network; XLA compiles it once per picture shape."""
    import jax

    from kdsharp import models
    from kdsharp.weights import fold

    if compute.threads:
        # XLA reads this once, when it starts.
        os.environ["NPROC"] = str(compute.threads)
    arguments, variables = dict(weights.card["model"]), weights.variables
    with contextlib.suppress(UserError):  # Some networks cannot be folded.
        arguments, variables = fold.fold(arguments, variables)
    model = models.create(**{**arguments, "dtype": compute.dtype})
    context = jax.device_get(variables["params"].get("context"))
    variables = jax.device_put(variables, _device(compute.device))

    @jax.jit
    def restore(variables, blurred, gains):
        return models.restore(model, variables, blurred, gains=gains)

    field = models.receptive_field(model)
    return Network(
        run=lambda blurred, gains=None: np.asarray(restore(variables, blurred, gains)),
        channels=model.channels,
        radius=field.radius,
        multiple=field.multiple,
        side=tiling.best_side(field.bytes_per_pixel),
        context=context,
    )


def planes(job: PlaneJob) -> RunPlane:
    """Creates a function that restores planes of one size.

    A plane goes to the device once and comes back once, as integers; all between is one
    compiled function. While one thread waits for its result, the next plane of another
    is already on its way.
    """
    import jax

    restore = _of_integers(
        job.network.model.clone(dtype=job.compute.dtype),
        levels.of_video(job.depth, job.range),
        job.strength,
    )
    has_context = job.network.has_context
    device = _device(job.compute.device)
    variables = jax.device_put(job.network.variables, device)
    flat = len(job.shape) == 2

    def as_batch(plane: Plane) -> np.ndarray:
        return plane[None, ..., None] if flat else plane[None]

    def run(plane: Plane, out: Plane | None = None, *further: np.ndarray) -> Plane:
        gains = further[0][..., 0, 0] if has_context else None
        recalled, keep = further[has_context:] or (None, None)
        state = None if recalled is None else as_batch(recalled)
        given = jax.device_put((as_batch(plane), gains, state, keep), device)
        restored = jax.device_get(restore(variables, *given)).reshape(plane.shape)
        if out is None:
            # Arrays from JAX are read-only.
            return restored.copy()
        np.copyto(out, restored)
        return out

    return run


def frames(
    model: "nn.Module", variables: dict, planes: bool, device: str = ""
) -> RunFrames:
    """Creates a function that restores batches of 8-bit frames."""
    import jax

    restore = _of_integers(model, levels.of_video(8, "full"), 1.0)
    variables = jax.device_put(variables, _device(device))

    def run(frames: np.ndarray) -> np.ndarray:
        batch = frames[..., None] if planes else frames
        return np.asarray(restore(variables, batch, None, None, None)).reshape(
            frames.shape
        )

    return run


def _of_integers(
    model: "nn.Module", pixels: levels.Levels, strength: float
) -> Callable:
    import jax
    import jax.numpy as jnp

    from kdsharp import models

    black, span = pixels.black, pixels.white - pixels.black

    def to_floats(batch):
        return (batch.astype(jnp.float32) - black) / span

    @jax.jit
    def restore(variables, batch, gains, state, keep):
        x = models.restore(
            model,
            variables,
            to_floats(batch),
            gains=gains,
            strength=strength,
            state=None if state is None else to_floats(state),
            keep=keep,
        )
        return jnp.round(jnp.clip(x * span + black, 0, pixels.top)).astype(batch.dtype)

    return restore


def devices() -> tuple[str, ...]:
    """Lists the devices that JAX finds; a TPU counts as an NPU."""
    return tuple(device for device in _PLATFORMS if _found(device))


def _found(device: str) -> list:
    import jax

    found = []
    for platform in _PLATFORMS[device]:
        # JAX raises for a platform without a device.
        with contextlib.suppress(RuntimeError):
            found += jax.devices(platform)
    return found


def _device(device: str):
    """The first JAX device of that kind; None (the default) for an empty name."""
    return _found(device)[0] if device else None


# JAX's names. Apple's plug-in registers METAL.
_PLATFORMS = {"cpu": ("cpu",), "gpu": ("gpu", "METAL"), "npu": ("tpu",)}

BACKEND = Backend(
    "jax",
    pictures,
    planes,
    dtypes=("float32", "bfloat16"),
    frames=frames,
    devices=devices,
)
