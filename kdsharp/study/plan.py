"""`kdsharp mos new`: creates a study of anonymised pictures."""

import dataclasses
import json
import secrets
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from kdsharp.core import cropping
from kdsharp.errors import UserError
from kdsharp.study import answers

FILE = "study.json"
PICTURES = "pictures"
# Models that are not networks: the degraded picture and the original.
INPUT, REFERENCE = "input", "reference"


@dataclasses.dataclass(frozen=True)
class Stimulus:
    """A picture as restored by one model, in a file with a random name."""

    file: str
    content: str
    model: str
    training: bool


@dataclasses.dataclass(frozen=True)
class Study:
    """The settings and pictures of a study."""

    title: str
    models: list[str]
    degradation: str
    repeats: int
    seed: int
    stimuli: list[Stimulus]


def load(folder: Path) -> Study:
    """Loads the study in a folder."""
    try:
        values = json.loads((folder / FILE).read_text())
        stimuli = [Stimulus(**stimulus) for stimulus in values.pop("stimuli")]
        return Study(**values, stimuli=stimuli)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder} is not a study: create one with kdsharp mos new {folder}"
        ) from error


def run(
    out: Path,
    *,
    images: Path,
    models: Sequence[str],
    degradation: str,
    size: tuple[int, int],
    training: int,
    repeats: int,
    title: str,
    seed: int,
) -> None:
    """Creates a study and prints how much a rater has to do."""
    if out.exists():
        raise UserError(f"{out} exists: give another name")
    if len(set(models)) < 2 or len(set(models)) < len(models):
        raise UserError("a study compares two models or more, each named once")
    if training < 0 or repeats < 0:
        raise UserError("--training and --repeats must be at least 0")
    names = _names(images, training)
    makers = _makers(models)
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.absolute().parent))
    try:
        (folder / PICTURES).mkdir()
        stimuli = []
        for number, name in enumerate(names):
            sharp = _middle(images / name, size)
            blurred = _blurred(sharp, degradation, seed + number)
            for model in models:
                made = sharp if model == REFERENCE else makers[model](blurred)
                file = f"{secrets.token_hex(8)}.png"
                Image.fromarray(made).save(folder / PICTURES / file)
                first = number == 0 and training > 0
                stimuli.append(Stimulus(file, str(name), model, first))
        practice = [s for s in stimuli if s.training][training:]
        for stimulus in practice:
            (folder / PICTURES / stimulus.file).unlink()
        stimuli = [s for s in stimuli if s not in practice]
        repeats = min(repeats, sum(not s.training for s in stimuli))
        study = Study(title, list(models), degradation, repeats, seed, stimuli)
        text = json.dumps(dataclasses.asdict(study), indent=1)
        (folder / FILE).write_text(text + "\n")
        answers.create(folder)
        folder.chmod(0o755)
        folder.replace(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    count = len(stimuli) + repeats
    print(
        f"{out}: {len(names) - (training > 0)} pictures, {len(models)} models, {count} "
        f"trials per rater ({training and len(stimuli) - _shown(stimuli)} for "
        f"training, {repeats} repeated)\nstart it with: kdsharp mos serve {out}"
    )


def _shown(stimuli: list[Stimulus]) -> int:
    return sum(not stimulus.training for stimulus in stimuli)


def _names(images: Path, training: int) -> list[Path]:
    """The names of the pictures, that for training first."""
    from kdsharp.data import folder

    names = folder.find_pictures(images)
    least = 2 if training else 1
    if len(names) < least:
        raise UserError(
            f"{images} holds {len(names)} pictures: a study needs at least {least}"
            + (", one of them for training" if training else "")
        )
    return [Path(name) for name in names]


def _makers(models: Sequence[str]) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    from kdsharp.runtime import restore

    makers: dict[str, Callable[[np.ndarray], np.ndarray]] = {INPUT: lambda x: x}
    for model in models:
        if model not in (INPUT, REFERENCE):
            makers[model] = restore.load(model)
    return makers


def _middle(path: Path, size: tuple[int, int]) -> np.ndarray:
    from kdsharp.data import decoding

    try:
        picture = decoding.read(path)
    except decoding.BadPictureError as error:
        raise UserError(f"{path} cannot be shown: {error}") from error
    width, height = size
    return np.ascontiguousarray(cropping.center_crop(picture, height, width))


def _blurred(sharp: np.ndarray, degradation: str, seed: int) -> np.ndarray:
    import jax

    from kdsharp.core import degradations

    blur = degradations.create(degradation)
    keys = jax.random.split(jax.random.key(seed), 1)
    blurred = np.asarray(blur(keys, np.asarray(sharp, np.float32)[None] / 255)[0])
    return np.round(np.clip(blurred, 0, 1) * 255).astype(np.uint8)
