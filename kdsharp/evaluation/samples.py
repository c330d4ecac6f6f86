"""Pictures side by side: what went in, what each network made of it, what was lost."""

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
    """Returns a row a picture and a captioned column a name; pixels in [0, 1].

    A note stands below its picture.
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
        draw.text((left, 1), _fitting(name, font, size), fill="black", font=font)
        for line, row in enumerate(rows):
            top = _CAPTION + line_height * line
            sheet.paste(_to_image(row[name]), (left, top))
            note = notes[line].get(name) if notes else None
            if note:
                note = _fitting(note, font, size)
                draw.text((left, top + size + 1), note, fill="black", font=font)
    return sheet


def _fitting(text: str, font: Font, width: int) -> str:
    """Returns the text, without its middle if it is wider than that."""
    kept = text
    while font.getlength(kept) > width and len(kept) > 1:
        half = (len(kept) - 2) // 2
        kept = f"{text[: len(kept) - 2 - half]}…{text[len(text) - half :]}"
    return kept


def busiest_crop(picture: np.ndarray, size: int) -> tuple[slice, slice]:
    """Returns the square in which neighbouring pixels differ most."""
    grey = picture.mean(axis=-1)
    change = np.zeros_like(grey)
    change[1:] += np.abs(np.diff(grey, axis=0))
    change[:, 1:] += np.abs(np.diff(grey, axis=1))
    return fullest_crop(change, size)


def fullest_crop(amount: np.ndarray, size: int) -> tuple[slice, slice]:
    """Returns the square in which a map of amounts holds most."""
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
