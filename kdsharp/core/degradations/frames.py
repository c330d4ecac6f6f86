"""Pictures of different sizes in one array, and padding at their borders."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

Planes = Float[Array, "b c h w"]
Sizes = Int[Array, "b 2"]


class Frame(NamedTuple):
    """A batch between two steps of a degradation.

    Picture i is `planes[i, :, :height, :width]` with `sizes[i] = (height, width)`; the
    other pixels are undefined. If `sizes` is None, pictures fill the array. `full` is
    the size before `down`.
    """

    planes: Planes
    sizes: Sizes | None
    full: tuple[int, int]


def extend(
    planes: Planes,
    sizes: Sizes | None,
    shape: tuple[int, int],
    *,
    before: int = 0,
    mode: str,
) -> Float[Array, "b c height width"]:
    """Pads the pictures to `shape`, with `before` pixels at the top and left.

    `mode` is that of `jnp.pad`: `edge` repeats the border pixel, `symmetric` mirrors
    the picture with its border pixel repeated (b a | a b c | c b).
    """
    if sizes is None:
        pads = [
            (before, length - have - before)
            for length, have in zip(shape, planes.shape[2:], strict=True)
        ]
        return jnp.pad(planes, [(0, 0), (0, 0), *pads], mode=mode)
    for axis, length in enumerate(shape):
        index = _index(length, before, sizes[:, axis, None], mode)
        take = functools.partial(jnp.take, axis=1 + axis, mode="clip")
        planes = jax.vmap(take)(planes, index)
    return planes


def _index(length: int, before: int, size: Int[Array, "b 1"], mode: str):
    at = jnp.arange(length) - before
    if mode == "edge":
        return jnp.clip(at, 0, size - 1)
    phase = at % (2 * size)
    return jnp.minimum(phase, 2 * size - 1 - phase)
