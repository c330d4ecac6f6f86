"""Data sets that people download: tfds builders that keep files as they came.

A builder finds the originals in a folder in the layout of their publisher and copies
their bytes, unchanged, into ArrayRecord files, which TensorFlow is not needed for. It
leaves out what cannot be decoded and pairs of unequal size, and says so. Importing a
builder imports tfds, which takes a second: `load` does it when asked to.
"""

import importlib
import os
import pathlib

from kdsharp.base import choices

NAMES = ("celeba", "helen", "gopro")


def load(name: str) -> type:
    """The builder class of that name."""
    if name not in NAMES:
        raise choices.unknown("data set", name, NAMES)
    module = importlib.import_module(f"kdsharp.data.builders.{name}")
    return getattr(module, name.capitalize())


def data_dir(given: str | os.PathLike[str] | None = None) -> pathlib.Path:
    """Where prepared data lie: as given, or where tfds keeps its own."""
    if given is None:
        given = os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return pathlib.Path(given).expanduser().absolute()
