"""Pictures side by side: what went in, what each network made of it, what was lost."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageDraw, ImageFont

_MARGIN, _CAPTION = 4, 18


def grid(rows: list[Mapping[str, np.ndarray]]) -> Image.Image:
    """Returns a row a picture and a captioned column a name; pixels in [0, 1]."""
    names = list(rows[0])
    size = next(iter(rows[0].values())).shape[0]
    cell = size + _MARGIN
    sheet = Image.new(
        "RGB", (cell * len(names) + _MARGIN, _CAPTION + cell * len(rows)), "white"
    )
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(13)
    for column, name in enumerate(names):
        draw.text((_MARGIN + cell * column, 1), name, fill="black", font=font)
        for line, row in enumerate(rows):
            sheet.paste(
                _to_image(row[name]), (_MARGIN + cell * column, _CAPTION + cell * line)
            )
    return sheet


def busiest_crop(picture: np.ndarray, size: int) -> tuple[slice, slice]:
    """Returns the square in which neighbouring pixels differ most."""
    grey = picture.mean(axis=-1)
    change = np.zeros_like(grey)
    change[1:] += np.abs(np.diff(grey, axis=0))
    change[:, 1:] += np.abs(np.diff(grey, axis=1))
    total = np.pad(change.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    size = min(size, *grey.shape)
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
