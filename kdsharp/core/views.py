"""Augmented views of a batch, on which student and teacher must agree as well.

A view is a list of transforms joined by `/`, such as `zoom_in/negative`. `zoom_in` and
`zoom_out` change the input of both networks, which gives inputs beyond the training
data. The invertible ones, `mirror`, `flip`, `turn` and `negative`, change only the
student's input; its residual is transformed back before the two are compared.

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
    """Upscales a random quarter of the pictures to their full size."""
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
    """Downscales the pictures to half their size."""
    count, height, width, channels = pixels.shape
    shape = (count, height // 2, width // 2, channels)
    return jax.image.resize(pixels, shape, "cubic")


_ZOOMS = {"zoom_in": zoom_in, "zoom_out": zoom_out}

# Each transform of a picture, and its inverse for residuals.
_TURNS: dict[str, tuple[Callable, Callable]] = {
    "mirror": (lambda x: x[:, :, ::-1], lambda r: r[:, :, ::-1]),
    "flip": (lambda x: x[:, ::-1], lambda r: r[:, ::-1]),
    "turn": (lambda x: x.swapaxes(1, 2), lambda r: r.swapaxes(1, 2)),
    "negative": (lambda x: 1 - x, jnp.negative),
}


@dataclasses.dataclass(frozen=True)
class View:
    """An augmented view: zooms for both networks, turns for the student only."""

    zooms: tuple[str, ...]
    turns: tuple[str, ...]

    def show_teacher(self, pixels: Pixels, key: jax.Array) -> Pixels:
        """Transforms the batch into the teacher's input."""
        for name in self.zooms:
            pixels = _ZOOMS[name](pixels, key)
        return pixels

    def show_student(self, pixels: Pixels) -> Pixels:
        """Transforms the teacher's input into the student's."""
        for name in self.turns:
            pixels = _TURNS[name][0](pixels)
        return pixels

    def turn_back(self, residual: Pixels) -> Pixels:
        """Transforms the student's residual back, to match the teacher's."""
        for name in reversed(self.turns):
            residual = _TURNS[name][1](residual)
        return residual


def create(spec: str) -> tuple[View, ...]:
    """Parses a comma-separated list of views."""
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
