"""A sheet of the residuals of a teacher and its student."""

from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
from PIL import Image

from kdsharp.base import atomic_files
from kdsharp.data.decoding import BadPictureError
from kdsharp.errors import UserError
from kdsharp.evaluation import samples
from kdsharp.evaluation.quality import cases
from kdsharp.evaluation.quality.restorers import PictureRestorer

_SIZE = 320
# Residuals are shown around grey; 1/8 of the range is black or white.
_GAIN = 4
TRUTH = "sharp - input"


def sheet(
    pictures: cases.Cases, teacher: PictureRestorer, student: PictureRestorer
) -> Image.Image:
    """Draws, for each picture, the crop in which the two differ most."""
    rows, notes = [], []
    for case in pictures.usable:
        try:
            pair = case.load()
        except BadPictureError as error:
            raise UserError(f"{case.name}: {error}") from error
        row, note = _row(pair, teacher, student)
        rows.append(row)
        notes.append({**note, "input": case.name})
    return samples.grid(rows, notes)


def _row(
    pair: cases.TestPair, teacher: PictureRestorer, student: PictureRestorer
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    residuals = {
        TRUTH: pair.sharp - pair.blurred,
        **{r.name: r.restore(pair.blurred) - pair.blurred for r in (teacher, student)},
    }
    between = f"{teacher.name} - {student.name}"
    residuals[between] = residuals[teacher.name] - residuals[student.name]
    crop = samples.fullest_crop(np.abs(residuals[between][0]).mean(-1), _SIZE)
    crops = {"input": np.asarray(pair.blurred[0])[crop]}
    crops |= {name: _visible(x)[crop] for name, x in residuals.items()}
    return crops, {name: _rms(x) for name, x in residuals.items()}


def _visible(residual: jax.Array) -> np.ndarray:
    return 0.5 + _GAIN * np.asarray(residual[0])


def _rms(residual: jax.Array) -> str:
    return f"RMS {255 * float(np.sqrt(np.mean(np.square(residual)))):.2f} of 255"


def write(
    pictures: cases.Cases, restorers: Sequence[PictureRestorer], path: Path
) -> None:
    """Writes the sheet of two restorers, teacher and student."""
    teacher, student = restorers
    drawn = sheet(pictures, teacher, student)
    with atomic_files.atomic_write(path) as unfinished:
        drawn.save(unfinished)
