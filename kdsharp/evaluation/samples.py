"""Sheets of pictures side by side, and the choice of crops to show."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageDraw, ImageFont

_MARGIN, _CAPTION = 4, 18
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_FONT_SIZE = 13


def grid(
    rows: list[Mapping[str, np.ndarray]],
    notes: list[Mapping[str, str]] | None = None,
) -> Image.Image:
    """Draws rows of pictures, pixels in [0, 1], with a captioned column per name.

    Notes are drawn below their pictures.
    """
    names = list(rows[0])
    size = max(side for row in rows for x in row.values() for side in x.shape[:2])
    cell = size + _MARGIN
    line_height = cell + (_CAPTION if notes else 0)
    sheet = Image.new(
        "RGB",
        (cell * len(names) + _MARGIN, _CAPTION + line_height * len(rows)),
        "white",
    )
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_FONT_SIZE)
    for column, name in enumerate(names):
        left = _MARGIN + cell * column
        draw.text((left, 1), _shorten(name, font, size), fill="black", font=font)
        for line, row in enumerate(rows):
            top = _CAPTION + line_height * line
            sheet.paste(_to_image(row[name]), (left, top))
            note = notes[line].get(name) if notes else None
            if note:
                note = _shorten(note, font, size)
                draw.text((left, top + size + 1), note, fill="black", font=font)
    return sheet


def _shorten(text: str, font: Font, width: int) -> str:
    """Shortens a text in the middle to at most `width` pixels."""
    shortened = text
    while font.getlength(shortened) > width and len(shortened) > 1:
        half = (len(shortened) - 2) // 2
        shortened = f"{text[: len(shortened) - 2 - half]}…{text[len(text) - half :]}"
    return shortened


def busiest_crop(picture: np.ndarray, size: int) -> tuple[slice, slice]:
    """Finds the square with the largest differences between neighbouring pixels."""
    grey = picture.mean(axis=-1)
    change = np.zeros_like(grey)
    change[1:] += np.abs(np.diff(grey, axis=0))
    change[:, 1:] += np.abs(np.diff(grey, axis=1))
    return fullest_crop(change, size)


def fullest_crop(amount: np.ndarray, size: int) -> tuple[slice, slice]:
    """Finds the square with the largest sum of a map."""
    total = np.pad(amount.cumsum(0, dtype=np.float64).cumsum(1), ((1, 0), (1, 0)))
    size = min(size, *amount.shape)
    sums = (
        total[size:, size:]
        - total[:-size, size:]
        - total[size:, :-size]
        + total[:-size, :-size]
    )
    top, left = np.unravel_index(np.argmax(sums), sums.shape)
    return slice(top, top + size), slice(left, left + size)


def _to_image(pixels: np.ndarray) -> Image.Image:
    values = np.asarray(jnp.round(jnp.clip(pixels, 0, 1) * 255), np.uint8)
    return Image.fromarray(np.broadcast_to(values, (*values.shape[:2], 3)).copy())
