"""Resolves the pattern to pictures and their output paths."""

import dataclasses
import os
import posixpath
from pathlib import PurePosixPath

from kdsharp.media import pictures

_WILD = "*?["


@dataclasses.dataclass(frozen=True)
class BatchItem:
    """The address of a picture, and its output path without the final extension."""

    source: str
    place: str

    def target(self, format_: str) -> str:
        """The output path if the picture has that format.

        If the extension does not fit, the new one is appended, so that a.gif and a.png
        stay distinct.
        """
        kept = pictures.output_format(format_)
        ending = pictures.extension_for(PurePosixPath(self.place), kept)
        if PurePosixPath(self.place).suffix == ending:
            return self.place
        return self.place + ending

    @property
    def likely_target(self) -> str:
        """The output path if the extension tells the format."""
        format_ = pictures.EXTENSIONS.get(PurePosixPath(self.place).suffix.lower(), "")
        return self.target(format_)


def job(source: str, glob: str, out: str) -> BatchItem:
    """Makes the item of a picture that the pattern matched; subfolders are kept."""
    return BatchItem(source, posixpath.join(out, source[len(root(glob)) :]))


def root(glob: str) -> str:
    """The folders at the start of a pattern that contain no wildcards."""
    wild = min((i for i in map(glob.find, _WILD) if i >= 0), default=len(glob))
    return glob[: glob.rfind("/", 0, wild) + 1]


def is_below(path: str, folder: str) -> bool:
    """Whether a file is in the folder or in one of its subfolders."""
    if "://" not in path:
        path, folder = os.path.abspath(path), os.path.abspath(folder)
    return path.startswith(folder.rstrip("/") + "/")
