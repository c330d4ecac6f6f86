"""Other views of a batch, on which a student and its teacher must agree as well.

A view is named by steps joined by `/`, such as `zoom_in/negative`. Zooming changes what
both see, and so gives inputs that no photograph in the data has. What can be turned
back, `mirror`, `flip`, `turn` and `negative`, is done to the student's input alone, and
its residual is turned back before the two are compared.

After Zhang et al., "Data Upcycling Knowledge Distillation for Image Super-Resolution",
2023.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from kdsharp.base import choices

Pixels = Float[Array, "b h w c"]


def zoom_in(pixels: Pixels, key: jax.Array) -> Pixels:
    """A random quarter of the picture, enlarged to its size."""
    count, height, width, channels = pixels.shape
    size = (count, height // 2, width // 2, channels)
    down, across = (
        jax.random.randint(k, (), 0, side - half + 1)
        for k, side, half in zip(
            jax.random.split(key), (height, width), size[1:3], strict=True
        )
    )
    part = jax.lax.dynamic_slice(pixels, (0, down, across, 0), size)
    return jax.image.resize(part, pixels.shape, "cubic")


def zoom_out(pixels: Pixels, key: jax.Array) -> Pixels:
    """The picture at half its size."""
    count, height, width, channels = pixels.shape
    shape = (count, height // 2, width // 2, channels)
    return jax.image.resize(pixels, shape, "cubic")


_ZOOMS = {"zoom_in": zoom_in, "zoom_out": zoom_out}

# What is done to a picture, and to a residual to undo it.
_TURNS: dict[str, tuple[Callable, Callable]] = {
    "mirror": (lambda x: x[:, :, ::-1], lambda r: r[:, :, ::-1]),
    "flip": (lambda x: x[:, ::-1], lambda r: r[:, ::-1]),
    "turn": (lambda x: x.swapaxes(1, 2), lambda r: r.swapaxes(1, 2)),
    "negative": (lambda x: 1 - x, jnp.negative),
}


@dataclasses.dataclass(frozen=True)
class View:
    """One other way to look at a batch."""

    zooms: tuple[str, ...]
    turns: tuple[str, ...]

    def show_teacher(self, pixels: Pixels, key: jax.Array) -> Pixels:
        """The view as the teacher sees it."""
        for name in self.zooms:
            pixels = _ZOOMS[name](pixels, key)
        return pixels

    def show_student(self, shown: Pixels) -> Pixels:
        """The teacher's view as the student sees it."""
        for name in self.turns:
            shown = _TURNS[name][0](shown)
        return shown

    def turn_back(self, residual: Pixels) -> Pixels:
        """Turn the student's residual back, as the teacher would see it."""
        for name in reversed(self.turns):
            residual = _TURNS[name][1](residual)
        return residual


def create(spec: str) -> tuple[View, ...]:
    """Create the views that a comma-separated list names."""
    return tuple(_create_one(name) for name in spec.split(",") if name)


def _create_one(spec: str) -> View:
    names = [name.strip() for name in spec.split("/")]
    for name in names:
        if name not in _ZOOMS and name not in _TURNS:
            raise choices.unknown("view", name, [*_ZOOMS, *_TURNS])
    return View(
        zooms=tuple(name for name in names if name in _ZOOMS),
        turns=tuple(name for name in names if name in _TURNS),
    )
