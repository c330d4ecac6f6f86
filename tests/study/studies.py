"""Small studies of real photographs."""

import pathlib

from PIL import Image
from skimage import data

from tests.cli.running import run

MODELS = ("input", "rt-s-call", "reference")


def pictures(folder: pathlib.Path) -> pathlib.Path:
    """Creates a folder of three photographs."""
    folder.mkdir()
    for name in ("astronaut", "chelsea", "coffee"):
        picture = Image.fromarray(getattr(data, name)())
        picture.crop((60, 40, 220, 160)).save(folder / f"{name}.png")
    return folder


def make(folder: pathlib.Path, *options: object, models=MODELS) -> pathlib.Path:
    """Creates a study of two photographs to rate and one for training."""
    study = folder / "study"
    images = pictures(folder / "photographs")
    arguments = ("--images", images, "--models", *models)
    status, _, complaints = run("mos", "new", study, *arguments, *options)
    if status:
        raise AssertionError(complaints)
    return study
