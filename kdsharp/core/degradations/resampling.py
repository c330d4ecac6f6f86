"""Downscaling and upscaling with Pillow's filters, edges and rounding.

A resize is a matrix product along each axis. As in Pillow, the rows are filtered and
rounded to 8 bits, then the columns. Between sizes that are known beforehand the result
equals Pillow's bit for bit. Pictures with sampled sizes lie in the top-left corner of
an array of the largest size. `exact` resizing rounds nothing, as Pillow does for
floating-point pictures.
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

# Pillow's weights are multiples of 2**-22. They are split into multiples of 2**-11 and
# a remainder, so that float32 sums of either part are exact.
_BITS = 22
_HIGH_BITS = 11


# Filters take the array module: NumPy in double precision for known sizes, JAX for
# sampled ones.
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


# Each filter with its support on either side, in pixels.
FILTERS: dict[str, tuple[Callable[[Array, ModuleType], Array], float]] = {
    "bicubic": (_cubic, 2),
    "bilinear": (_triangle, 1),
    "area": (_box, 0.5),
    "lanczos": (_lanczos, _LOBES),
}


def taps(
    filter: str, source: int, target: int
) -> tuple[Int[np.ndarray, " target"], Float[np.ndarray, "target taps"]]:
    """Pillow's weights, and the first source pixel of each target pixel."""
    weigh, reach = FILTERS[filter]
    # The same order of operations as Pillow's: at the edge of a filter's support,
    # double-precision rounding decides.
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
    """Matrices that resample `source` pixels to `target` pixels, one per picture.

    Columns from `source` on are zero; rows from `target` on repeat the last row.
    """
    source, target = (n[:, None, None] for n in (source, target))
    to = jnp.minimum(jnp.arange(rows)[:, None], target - 1)
    at = jnp.arange(columns)
    # Integers, so that pixels at the edge of a filter's support stay there. They do not
    # overflow for sides of up to 23,000 pixels.
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
    """Resizes planes to `shape`.

    `source` and `target` are the sizes of each picture within the arrays, if they
    differ; by default pictures fill the arrays.
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
    """Filters grey levels along one axis, before clipping."""
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
    # The barrier keeps XLA from folding the whole matrix into a constant.
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
    """Resizes pictures with Pillow's filter of that name.

    Rows are always filtered first; Pillow 13 filters columns first if mostly the height
    shrinks.
    """
    planes = resize_planes(picture.transpose(0, 3, 1, 2), (height, width), filter)
    return planes.transpose(0, 2, 3, 1)


def _product(equation: str, matrix: Array, planes: Planes) -> Planes:
    # The default precision on some accelerators is too low for 8-bit results.
    return jnp.einsum(equation, matrix, planes, precision="highest")


def _small(length: int, factor: float) -> int:
    return max(1, round(length / factor))


_FACTOR = between(1, 64, "log")


@dataclass(frozen=True)
class Down(Step):
    """`down:FACTOR[,FILTER]`: downscaling; steps until `up` work at the small size."""

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
    """`up[:FILTER]`: upscaling to the size before `down`; `exact` does not round."""

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
    """`NAME:FACTOR`: downscaling and upscaling with the same filter.

    With `exact` only the small picture is rounded to 8 bits, not the result.
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
