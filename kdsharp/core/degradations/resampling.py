"""Fewer pixels, and as many as before again: Pillow's filters, edges and rounding.

A resize is a matrix product along each axis. Pillow works on 8-bit pictures, filters
rows, keeps 8 bits, then filters columns and keeps 8 bits; so does this. Between sizes
that are known beforehand it equals Pillow bit for bit. A size that is drawn for each
picture is kept in the top-left corner of an array of the largest size. Resizing that is
`exact` rounds nothing, as Pillow resizes pictures of floating-point numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from kdsharp.core.degradations.frames import Frame, Planes, Sizes
from kdsharp.core.degradations.rounding import floor, half_up, levels
from kdsharp.core.degradations.steps import BINARY, Range, Step, among, between

# Keys, "Cubic convolution interpolation for digital image processing", 1981.
_CUBIC = -0.5
_LOBES = 3

# Pillow's weights are whole numbers of 2**-22. Float32 sums them up without error in
# two parts: whole numbers of 2**-11, and what is left.
_BITS = 22
_HIGH_BITS = 11


# Filters take the array module to compute with: NumPy in double precision for sizes
# that are known, JAX for those that are drawn.
def _box(x: Array, xp: ModuleType) -> Array:
    return xp.where((x > -0.5) & (x <= 0.5), 1.0, 0.0)


def _triangle(x: Array, xp: ModuleType) -> Array:
    return xp.maximum(1 - xp.abs(x), 0)


def _cubic(x: Array, xp: ModuleType) -> Array:
    x, a = xp.abs(x), _CUBIC
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return xp.where(x < 1, near, xp.where(x < 2, far, 0))


def _lanczos(x: Array, xp: ModuleType) -> Array:
    return xp.where(xp.abs(x) < _LOBES, xp.sinc(x) * xp.sinc(x / _LOBES), 0)


# Each with its reach on either side.
FILTERS: dict[str, tuple[Callable[[Array, ModuleType], Array], float]] = {
    "bicubic": (_cubic, 2),
    "bilinear": (_triangle, 1),
    "area": (_box, 0.5),
    "lanczos": (_lanczos, _LOBES),
}


def taps(
    filter: str, source: int, target: int
) -> tuple[Int[np.ndarray, " target"], Float[np.ndarray, "target taps"]]:
    """The first source pixel of each target pixel, and Pillow's weights."""
    weigh, reach = FILTERS[filter]
    # In Pillow's own order: where a pixel lies on the rim of a filter, the rounding of
    # double precision decides.
    scale = source / target
    stretch = max(scale, 1.0)
    center = (np.arange(target) + 0.5) * scale
    first = np.maximum((center - reach * stretch + 0.5).astype(int), 0)
    end = np.minimum((center + reach * stretch + 0.5).astype(int), source)
    at = first[:, None] + np.arange((end - first).max())
    found = weigh((at - center[:, None] + 0.5) * (1.0 / stretch), np)
    found = np.where(at < end[:, None], found, 0)
    found /= found.sum(-1, keepdims=True)
    whole = np.trunc(found * 2**_BITS + np.copysign(0.5, found))
    return first, whole / 2**_BITS


def weights(
    filter: str,
    source: Int[Array, " b"],
    target: Int[Array, " b"],
    *,
    rows: int,
    columns: int,
) -> Float[Array, "b rows columns"]:
    """The matrices that map `source` pixels to `target` pixels.

    Columns from `source` on are zero; rows from `target` on repeat the last one.
    """
    source, target = (n[:, None, None] for n in (source, target))
    to = jnp.minimum(jnp.arange(rows)[:, None], target - 1)
    at = jnp.arange(columns)
    # In whole numbers, so that what lies on the rim of a filter stays there. They fit
    # for pictures of up to 23,000 pixels a side.
    distance = (2 * at + 1) * target - (2 * to + 1) * source
    distance = distance / (2 * jnp.maximum(source, target))
    weigh, _ = FILTERS[filter]
    found = jnp.where(at < source, weigh(distance, jnp), 0)
    return found / found.sum(-1, keepdims=True)


def resize_planes(
    planes: Planes,
    shape: tuple[int, int],
    filter: str,
    *,
    source: Sizes | None = None,
    target: Sizes | None = None,
    exact: bool = False,
) -> Float[Array, "b c height width"]:
    """Resize pictures of sizes `source` to sizes `target` in `shape`.

    Sizes are given for pictures that differ in them; without, they are the arrays'.
    """
    grey = planes * 255 if exact else levels(planes)
    for axis, equation in ((1, "bchj->bchi"), (0, "bcjw->bciw")):
        have, want = grey.shape[2 + axis], shape[axis]
        if source is None and target is None:
            grey = _filter(equation, grey, filter, have, want, exact)
        else:
            batch = grey.shape[:1]
            matrices = weights(
                filter,
                jnp.full(batch, have) if source is None else source[:, axis],
                jnp.full(batch, want) if target is None else target[:, axis],
                rows=want,
                columns=have,
            )
            grey = _product(f"bij,{equation}", matrices, grey)
            grey = grey if exact else half_up(grey)
        grey = grey if exact else jnp.clip(grey, 0, 255)
    return jnp.clip(grey / 255, 0, 1)


def _filter(
    equation: str, grey: Planes, filter: str, have: int, want: int, exact: bool
) -> Planes:
    """Grey levels after one of Pillow's passes, before clipping."""
    first, weighed = taps(filter, have, want)
    if exact:
        return _product(f"ij,{equation}", _dense(first, weighed, have), grey)
    high = np.round(weighed * 2**_HIGH_BITS) / 2**_HIGH_BITS
    coarse, fine = (
        _product(f"ij,{equation}", _dense(first, part, have), grey)
        for part in (high, weighed - high)
    )
    whole = floor(coarse + 0.5)
    return whole + floor((coarse + 0.5 - whole) + fine)


def _dense(
    first: Int[np.ndarray, " rows"],
    weighed: Float[np.ndarray, "rows taps"],
    columns: int,
) -> Float[Array, "rows columns"]:
    # Behind a barrier: a compiler that saw constants would store the whole matrix.
    first, weighed = jax.lax.optimization_barrier(
        (jnp.asarray(first), jnp.asarray(weighed, jnp.float32))
    )
    at = jnp.arange(columns) - first[:, None]
    return jnp.asarray(
        sum(jnp.where(at == i, weighed[:, i, None], 0) for i in range(weighed.shape[1]))
    )


def resize(
    picture: Float[Array, "b h w c"], height: int, width: int, filter: str = "bicubic"
) -> Float[Array, "b height width c"]:
    """Resize a picture as Pillow's filter of that name does.

    (Pillow 13 filters columns first where mostly the height shrinks; this does not.)
    """
    planes = resize_planes(picture.transpose(0, 3, 1, 2), (height, width), filter)
    return planes.transpose(0, 2, 3, 1)


def _product(equation: str, matrix: Array, planes: Planes) -> Planes:
    # The default precision of some accelerators is less than 8 bits need.
    return jnp.einsum(equation, matrix, planes, precision="highest")


def _small(length: int, factor: float) -> int:
    return max(1, round(length / factor))


_FACTOR = between(1, 64, "log")


@dataclass(frozen=True)
class Down(Step):
    """`down:FACTOR[,FILTER]`: reduced; the steps up to `up` work at the small size."""

    name: ClassVar[str] = "down"
    resizes: ClassVar[bool] = True
    factor: Range = field(default=Range(2, 2), metadata=_FACTOR)
    filter: str = field(default="bicubic", metadata=among(FILTERS))

    def _apply(self, frame: Frame, factor: Array) -> Frame:
        height, width = (_small(length, self.factor.low) for length in frame.full)
        shape = (height, width)
        target = None
        if not self.factor.fixed:
            target = jnp.round(jnp.asarray(frame.full) / factor[:, None])
            target = jnp.clip(target.astype(int), 1, jnp.asarray(shape))
        planes = resize_planes(frame.planes, shape, self.filter, target=target)
        return Frame(planes, target, frame.full)


@dataclass(frozen=True)
class Up(Step):
    """`up[:FILTER]`: enlarged to the size before `down`, with `exact` unrounded."""

    name: ClassVar[str] = "up"
    resizes: ClassVar[bool] = True
    filter: str = field(default="bicubic", metadata=among(FILTERS))
    exact: str = field(default="0", metadata=BINARY)

    def _apply(self, frame: Frame) -> Frame:
        planes = resize_planes(
            frame.planes,
            frame.full,
            self.filter,
            source=frame.sizes,
            exact=self.exact == "1",
        )
        return Frame(planes, None, frame.full)


@dataclass(frozen=True)
class _Resampled(Step):
    """`NAME:FACTOR`: reduced and enlarged again by the same filter.

    With `exact` the small picture alone is in 8 bits, not the enlarged one.
    """

    resizes: ClassVar[bool] = True
    factor: Range = field(default=Range(2, 2), metadata=_FACTOR)
    exact: str = field(default="0", metadata=BINARY)

    def _apply(self, frame: Frame, factor: Array) -> Frame:
        small = Down(self.factor, self.name)._apply(frame, factor)
        return Up(self.name, self.exact)._apply(small)


class Bicubic(_Resampled):
    name = "bicubic"


class Bilinear(_Resampled):
    name = "bilinear"


class Area(_Resampled):
    name = "area"


class Lanczos(_Resampled):
    name = "lanczos"
