"""JPEG as libjpeg writes and reads it, without the file.

Baseline: BT.601 YCbCr, chroma averaged over 2x2 pixels (4:2:0) or kept (4:4:4), the
example tables of ITU-T T.81 annex K scaled by quality, chroma enlarged by a triangle
filter. Every rounding of libjpeg's is here but those of the constants in its integer
DCT. Rounding passes gradients straight through; clipping does not.
"""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from kdsharp.core.degradations.frames import Frame, Planes, Sizes, extend
from kdsharp.core.degradations.rounding import floor, half_away, levels
from kdsharp.core.degradations.steps import Range, Step, among, between

# ITU-T T.81, tables K.1 and K.2, row by row.
_LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)

# T.871 (JFIF), in libjpeg's whole numbers of 2**-16; float32 sums them up exactly.
_ONE = 1 << 16
_TO_YCC = (
    (19595, 38470, 7471),
    (-11059, -21709, 32768),
    (32768, -27439, -5329),
)
_RED_OF_CR = 91881
_GREEN_OF_CB, _GREEN_OF_CR = -22554, -46802
_BLUE_OF_CB = 116130

# Between the two passes of its DCT libjpeg keeps whole numbers, two bits finer than
# the sqrt(8) that its transform is larger than the orthonormal one.
_BETWEEN = 4 * math.sqrt(8)
# It quantises coefficients that are whole numbers of an eighth.
_FINE = 8


def _dct() -> tuple[np.ndarray, np.ndarray]:
    """The DCT of an 8x8 block, along rows and columns, as a 64x64 matrix."""
    k, n = np.mgrid[:8, :8]
    basis = np.cos(np.pi * (2 * n + 1) * k / 16) / 2
    basis[0] /= np.sqrt(2)
    one = np.eye(8)
    return np.kron(one, basis).T, np.kron(basis, one).T


def tables(
    quality: Int[Array, " b"],
) -> tuple[Float[Array, "b 64"], Float[Array, "b 64"]]:
    """The quantisation tables of luma and chroma, as libjpeg scales them."""
    quality = quality[:, None]
    percent = jnp.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    luma, chroma = (
        jnp.clip((np.ravel(base) * percent + 50) // 100, 1, 255).astype(jnp.float32)
        for base in (_LUMA, _CHROMA)
    )
    return luma, chroma


def jpeg(
    planes: Planes,
    quality: Int[Array, " b"],
    *,
    subsample: bool = True,
    sizes: Sizes | None = None,
) -> Planes:
    """The pictures after JPEG compression; one plane is grey."""
    height, width = planes.shape[2:]
    padded = (_up_to(height, 16), _up_to(width, 16))
    luma_table, chroma_table = tables(quality)
    pixels = extend(levels(planes), sizes, padded, mode="edge")
    if planes.shape[1] == 1:
        return _coded(pixels, luma_table)[:, :, :height, :width] / 255
    red, green, blue = (pixels[:, i : i + 1] for i in range(3))
    y, cb, cr = (r * red + g * green + b * blue for r, g, b in _TO_YCC)
    y = _coded(floor((y + _ONE / 2) / _ONE), luma_table)
    # A half goes down here.
    chroma = jnp.concatenate([cb, cr], axis=1)
    chroma = floor((chroma + (_ONE / 2 - 1)) / _ONE) + 128
    if subsample:
        small = None if sizes is None else (sizes + 1) // 2
        half = ((height + 1) // 2, (width + 1) // 2)
        chroma = _halved(chroma)
        # libjpeg repeats the last row after it has averaged, the last column before.
        chroma = _extend_down(chroma, small, half[0])
        chroma = _coded(chroma, chroma_table)
        chroma = _doubled(chroma[:, :, : half[0], : half[1]], small)
    else:
        chroma = _coded(chroma, chroma_table)
    y, chroma = (p[:, :, :height, :width] for p in (y, chroma))
    return _to_rgb(y, chroma - 128) / 255


def _up_to(length: int, multiple: int) -> int:
    return -(-length // multiple) * multiple


def _coded(planes: Planes, table: Float[Array, "b 64"]) -> Planes:
    """Quantise planes that are made of whole blocks."""
    b, c, h, w = planes.shape
    blocks = planes.reshape(b, c, h // 8, 8, w // 8, 8).transpose(0, 1, 2, 4, 3, 5)
    blocks = blocks.reshape(b, -1, 64) - 128
    table = table[:, None]
    rows, columns = _dct()
    blocks = _whole(blocks, rows * _BETWEEN)
    blocks = _whole(blocks, columns * (_FINE / _BETWEEN)) / _FINE
    blocks = half_away(blocks / table) * table
    blocks = _whole(blocks, columns.T * _BETWEEN)
    blocks = _whole(blocks, rows.T / _BETWEEN)
    blocks = jnp.clip(blocks + 128, 0, 255)
    blocks = blocks.reshape(b, c, h // 8, w // 8, 8, 8).transpose(0, 1, 2, 4, 3, 5)
    return blocks.reshape(b, c, h, w)


def _whole(blocks: Float[Array, "b n 64"], matrix: np.ndarray) -> Array:
    product = jnp.matmul(blocks, matrix.astype(np.float32), precision="highest")
    return floor(product + 0.5)


def _halved(planes: Planes) -> Planes:
    b, c, h, w = planes.shape
    total = planes.reshape(b, c, h // 2, 2, w // 2, 2).sum((3, 5))
    # libjpeg rounds halves down in even columns and up in odd ones.
    bias = 1 + jnp.arange(w // 2) % 2
    return floor((total + bias) / 4)


def _extend_down(planes: Planes, sizes: Sizes | None, height: int) -> Planes:
    """Repeat the last row of the planes to the end of the array."""
    rows, columns = planes.shape[2:]
    if sizes is None:
        return extend(planes[:, :, :height], None, (rows, columns), mode="edge")
    sizes = sizes.at[:, 1].set(columns)
    return extend(planes, sizes, (rows, columns), mode="edge")


def _doubled(planes: Planes, sizes: Sizes | None) -> Planes:
    """Double the planes, each pixel mixed 9:3:3:1 from its nearest four."""
    b, c, h, w = planes.shape
    planes = extend(planes, sizes, (h + 2, w + 2), before=1, mode="edge")
    middle = 3 * planes[:, :, 1:-1]
    rows = [middle + planes[:, :, :-2], middle + planes[:, :, 2:]]
    rows = jnp.stack(rows, axis=3).reshape(b, c, 2 * h, w + 2)
    middle = 3 * rows[..., 1:-1]
    columns = [middle + rows[..., :-2] + 8, middle + rows[..., 2:] + 7]
    return floor(jnp.stack(columns, axis=4).reshape(b, c, 2 * h, 2 * w) / 16)


def _to_rgb(y: Planes, chroma: Planes) -> Planes:
    blue, red = chroma[:, :1], chroma[:, 1:]
    offsets = (
        _RED_OF_CR * red,
        _GREEN_OF_CB * blue + _GREEN_OF_CR * red,
        _BLUE_OF_CB * blue,
    )
    rgb = [y + floor((offset + _ONE / 2) / _ONE) for offset in offsets]
    return jnp.clip(jnp.concatenate(rgb, axis=1), 0, 255)


@dataclass(frozen=True)
class Jpeg(Step):
    """`jpeg:QUALITY[,chroma=444]`: written at a quality from 1 to 100, and read."""

    name: ClassVar[str] = "jpeg"
    quality: Range = field(default=Range(20, 90), metadata=between(1, 100, "integer"))
    chroma: str = field(default="420", metadata=among(("420", "444")))

    def _apply(self, frame: Frame, quality: Array) -> Frame:
        planes = jpeg(
            frame.planes,
            quality.astype(int),
            subsample=self.chroma == "420",
            sizes=frame.sizes,
        )
        return frame._replace(planes=planes)
