"""Previews of training data: crops, their degraded versions and the spec of each."""

import itertools
import textwrap
from typing import NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict
from PIL import Image, ImageDraw, ImageFont

from kdsharp.core import color, degradations
from kdsharp.data import pipeline
from kdsharp.data.sources import Source

COLUMNS = ("sharp", "blurred", "sharp - blurred")

MARGIN = 4
_HEAD = 18
_LINE = 14
_FONT_SIZE = 11
# Maximal width of a letter in pixels.
_LETTER_WIDTH = 6.5


class PreviewRow(NamedTuple):
    """A crop before and after degradation, uint8, and the spec of its degradation."""

    sharp: np.ndarray
    blurred: np.ndarray
    text: str


def rows(config: ConfigDict, source: Source, count: int) -> list[PreviewRow]:
    """Crops and degrades pictures of the source as the config says."""
    (batch,) = itertools.islice(
        pipeline.batches(
            source,
            batch_size=count,
            patch_size=config.data.patch_size,
            augment=config.data.augment,
            shrink=config.data.shrink,
            extremes=config.data.extremes,
            seed=config.seed,
        ),
        1,
    )
    sharp = _pixels(batch["sharp"], config)
    if "blurred" in batch:
        blurred, texts = _pixels(batch["blurred"], config), ["as given"] * count
    else:
        degrade = degradations.create(config.degradation)
        drawn = degrade.draw(jax.random.split(jax.random.key(config.seed), count))
        blurred = degrade.apply(drawn, sharp)
        texts = [degrade.describe(drawn, i) for i in range(count)]
    pairs = zip(_to_bytes(sharp), _to_bytes(blurred), texts, strict=True)
    return [PreviewRow(*row) for row in pairs]


def sheet(rows: list[PreviewRow], *, scale: int = 1) -> Image.Image:
    """Draws the rows: both pictures, their difference around grey, and the spec."""
    size = rows[0].sharp.shape[0] * scale
    width = MARGIN + len(COLUMNS) * (size + MARGIN)
    letters = max(1, int((width - 2 * MARGIN) / _LETTER_WIDTH))
    texts = [textwrap.wrap(row.text, letters) for row in rows]
    step = size + MARGIN + _LINE * max(map(len, texts))
    image = Image.new("RGB", (width, _HEAD + step * len(rows)), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(_FONT_SIZE)
    for at, name in enumerate(COLUMNS):
        place = (MARGIN + at * (size + MARGIN), 2)
        draw.text(place, name, fill="black", font=font)
    for line, (row, text) in enumerate(zip(rows, texts, strict=True)):
        top = _HEAD + line * step
        difference = 128 + row.sharp.astype(int) - row.blurred
        cells = row.sharp, row.blurred, np.clip(difference, 0, 255).astype(np.uint8)
        for at, cell in enumerate(cells):
            pixels = cell.repeat(scale, axis=0).repeat(scale, axis=1)
            image.paste(Image.fromarray(pixels), (MARGIN + at * (size + MARGIN), top))
        written = "\n".join(text)
        draw.text((MARGIN, top + size), written, fill="black", font=font, spacing=2)
    return image


def scale_of(config: ConfigDict) -> int:
    """The factor that enlarges crops to at least 192 pixels, so that pixels show."""
    return max(1, -(-192 // config.data.patch_size))


def _pixels(pictures: np.ndarray, config: ConfigDict) -> jax.Array:
    # The last frame of a window.
    pixels = jax.numpy.asarray(pictures[..., -3:], "float32") / 255
    return color.luma(pixels) if config.model.channels == 1 else pixels


def _to_bytes(pixels: jax.Array) -> np.ndarray:
    values = np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    return np.broadcast_to(values, (*values.shape[:-1], 3))
