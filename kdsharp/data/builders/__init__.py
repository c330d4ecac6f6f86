"""tfds builders of published data sets, from files that users have downloaded.

A builder finds the original files in their publisher's layout and copies their bytes
unchanged into ArrayRecord files, which need no TensorFlow. It leaves out and reports
files that cannot be decoded and pairs of unequal size. Importing a builder imports
tfds, which takes a second, so `load` imports them on demand.
"""

import importlib
import os
import pathlib

from kdsharp.base import choices

NAMES = ("celeba", "helen", "gopro")


def load(name: str) -> type:
    """Imports the builder class of a data set."""
    if name not in NAMES:
        raise choices.unknown("data set", name, NAMES)
    module = importlib.import_module(f"kdsharp.data.builders.{name}")
    return getattr(module, name.capitalize())


def data_dir(folder: str | os.PathLike[str] | None = None) -> pathlib.Path:
    """The folder of prepared data sets; by default that of tfds."""
    if folder is None:
        folder = os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return pathlib.Path(folder).expanduser().absolute()
