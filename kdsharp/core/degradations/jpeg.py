"""JPEG compression artefacts as libjpeg produces them, without entropy coding.

Baseline: BT.601 YCbCr, chroma averaged over 2x2 pixels (4:2:0) or kept (4:4:4), the
example tables of ITU-T T.81 annex K scaled by quality, chroma upsampled by a triangle
filter. All of libjpeg's rounding is reproduced, except that of the constants in its
integer DCT. Rounding passes gradients straight through; clipping does not.
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

# T.871 (JFIF) in libjpeg's fixed point, units of 2**-16; float32 sums are exact.
_ONE = 1 << 16
_TO_YCC = (
    (19595, 38470, 7471),
    (-11059, -21709, 32768),
    (32768, -27439, -5329),
)
_RED_OF_CR = 91881
_GREEN_OF_CB, _GREEN_OF_CR = -22554, -46802
_BLUE_OF_CB = 116130

# Between the two passes of its DCT, libjpeg rounds to integers with two extra bits; its
# transform is sqrt(8) times the orthonormal one.
_PASS_SCALE = 4 * math.sqrt(8)
# The coefficients that it quantises are integers in units of 1/8.
_COEFFICIENT_SCALE = 8


def _dct() -> tuple[np.ndarray, np.ndarray]:
    """The DCT along rows and along columns of an 8x8 block, as two 64x64 matrices."""
    k, n = np.mgrid[:8, :8]
    basis = np.cos(np.pi * (2 * n + 1) * k / 16) / 2
    basis[0] /= np.sqrt(2)
    one = np.eye(8)
    return np.kron(one, basis).T, np.kron(basis, one).T


def tables(
    quality: Int[Array, " b"],
) -> tuple[Float[Array, "b 64"], Float[Array, "b 64"]]:
    """Quantisation tables of luma and chroma, scaled by quality as in libjpeg."""
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
    """Compresses and decompresses RGB or single-channel pictures as JPEG."""
    height, width = planes.shape[2:]
    padded = (_round_up(height, 16), _round_up(width, 16))
    luma_table, chroma_table = tables(quality)
    pixels = extend(levels(planes), sizes, padded, mode="edge")
    if planes.shape[1] == 1:
        return _quantise(pixels, luma_table)[:, :, :height, :width] / 255
    red, green, blue = (pixels[:, i : i + 1] for i in range(3))
    y, cb, cr = (r * red + g * green + b * blue for r, g, b in _TO_YCC)
    y = _quantise(floor((y + _ONE / 2) / _ONE), luma_table)
    # For chroma, halves round down.
    chroma = jnp.concatenate([cb, cr], axis=1)
    chroma = floor((chroma + (_ONE / 2 - 1)) / _ONE) + 128
    if subsample:
        small = None if sizes is None else (sizes + 1) // 2
        half = ((height + 1) // 2, (width + 1) // 2)
        chroma = _downsample(chroma)
        # libjpeg pads columns before averaging 2x2 pixels, and rows after it.
        chroma = _extend_down(chroma, small, half[0])
        chroma = _quantise(chroma, chroma_table)
        chroma = _upsample(chroma[:, :, : half[0], : half[1]], small)
    else:
        chroma = _quantise(chroma, chroma_table)
    y, chroma = (p[:, :, :height, :width] for p in (y, chroma))
    return _to_rgb(y, chroma - 128) / 255


def _round_up(length: int, multiple: int) -> int:
    return -(-length // multiple) * multiple


def _quantise(planes: Planes, table: Float[Array, "b 64"]) -> Planes:
    """Quantises the DCT coefficients of planes whose sides are multiples of 8."""
    b, c, h, w = planes.shape
    blocks = planes.reshape(b, c, h // 8, 8, w // 8, 8).transpose(0, 1, 2, 4, 3, 5)
    blocks = blocks.reshape(b, -1, 64) - 128
    table = table[:, None]
    rows, columns = _dct()
    blocks = _rounded_product(blocks, rows * _PASS_SCALE)
    blocks = (
        _rounded_product(blocks, columns * (_COEFFICIENT_SCALE / _PASS_SCALE))
        / _COEFFICIENT_SCALE
    )
    blocks = half_away(blocks / table) * table
    blocks = _rounded_product(blocks, columns.T * _PASS_SCALE)
    blocks = _rounded_product(blocks, rows.T / _PASS_SCALE)
    blocks = jnp.clip(blocks + 128, 0, 255)
    blocks = blocks.reshape(b, c, h // 8, w // 8, 8, 8).transpose(0, 1, 2, 4, 3, 5)
    return blocks.reshape(b, c, h, w)


def _rounded_product(blocks: Float[Array, "b n 64"], matrix: np.ndarray) -> Array:
    product = jnp.matmul(blocks, matrix.astype(np.float32), precision="highest")
    return floor(product + 0.5)


def _downsample(planes: Planes) -> Planes:
    b, c, h, w = planes.shape
    total = planes.reshape(b, c, h // 2, 2, w // 2, 2).sum((3, 5))
    # libjpeg rounds halves down in even columns and up in odd ones.
    bias = 1 + jnp.arange(w // 2) % 2
    return floor((total + bias) / 4)


def _extend_down(planes: Planes, sizes: Sizes | None, height: int) -> Planes:
    """Repeats the last row of each picture down to the end of the array."""
    rows, columns = planes.shape[2:]
    if sizes is None:
        return extend(planes[:, :, :height], None, (rows, columns), mode="edge")
    sizes = sizes.at[:, 1].set(columns)
    return extend(planes, sizes, (rows, columns), mode="edge")


def _upsample(planes: Planes, sizes: Sizes | None) -> Planes:
    """Doubles the size; each pixel mixes its four nearest ones 9:3:3:1."""
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
    """`jpeg:QUALITY[,chroma=444]`: JPEG compression of quality 1 to 100."""

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
