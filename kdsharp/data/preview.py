"""What training sees: crops, what becomes of them, and what chance decided."""

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
# Pixels that a letter of that size takes, at most.
_LETTER = 6.5


class PreviewRow(NamedTuple):
    """A crop, uint8, and the spec of what it met."""

    sharp: np.ndarray
    blurred: np.ndarray
    text: str


def rows(config: ConfigDict, source: Source, count: int) -> list[PreviewRow]:
    """Crops of the source as the config has them cut and degraded."""
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


def sheet(shown: list[PreviewRow], *, scale: int = 1) -> Image.Image:
    """A line for each row: both pictures, their difference around grey, the text."""
    size = shown[0].sharp.shape[0] * scale
    width = MARGIN + len(COLUMNS) * (size + MARGIN)
    letters = max(1, int((width - 2 * MARGIN) / _LETTER))
    texts = [textwrap.wrap(row.text, letters) for row in shown]
    step = size + MARGIN + _LINE * max(map(len, texts))
    image = Image.new("RGB", (width, _HEAD + step * len(shown)), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(_FONT_SIZE)
    for at, name in enumerate(COLUMNS):
        place = (MARGIN + at * (size + MARGIN), 2)
        draw.text(place, name, fill="black", font=font)
    for line, (row, text) in enumerate(zip(shown, texts, strict=True)):
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
    """How much to enlarge crops, so that a person sees their pixels."""
    return max(1, -(-192 // config.data.patch_size))


def _pixels(pictures: np.ndarray, config: ConfigDict) -> jax.Array:
    pixels = jax.numpy.asarray(pictures, "float32") / 255
    return color.luma(pixels) if config.model.channels == 1 else pixels


def _to_bytes(pixels: jax.Array) -> np.ndarray:
    values = np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    return np.broadcast_to(values, (*values.shape[:-1], 3))
