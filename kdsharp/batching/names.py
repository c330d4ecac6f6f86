"""Which pictures are meant, and what becomes of their names."""

import dataclasses
import os
import posixpath
from pathlib import PurePosixPath

from kdsharp.media import pictures

_WILD = "*?["


@dataclasses.dataclass(frozen=True)
class BatchItem:
    """A picture's address, and where it goes, but for the ending."""

    source: str
    place: str

    def target(self, format_: str) -> str:
        """Returns where the picture goes if its file is of that format.

        A name that ends otherwise is kept whole, so that a.gif does not become a.png.
        """
        kept = pictures.kept_format(format_)
        ending = pictures.ending_for(PurePosixPath(self.place), kept)
        if PurePosixPath(self.place).suffix == ending:
            return self.place
        return self.place + ending

    @property
    def likely_target(self) -> str:
        """Returns where it goes if its name tells its format."""
        format_ = pictures.ENDINGS.get(PurePosixPath(self.place).suffix.lower(), "")
        return self.target(format_)


def job(source: str, glob: str, out: str) -> BatchItem:
    """Returns the job of a picture that the pattern found; its folders are kept."""
    return BatchItem(source, posixpath.join(out, source[len(root(glob)) :]))


def root(glob: str) -> str:
    """Returns what of the pattern all that it finds begin with: folders alone."""
    wild = min((i for i in map(glob.find, _WILD) if i >= 0), default=len(glob))
    return glob[: glob.rfind("/", 0, wild) + 1]


def is_below(path: str, folder: str) -> bool:
    """Returns whether a file is in the folder or in one below it."""
    if "://" not in path:
        path, folder = os.path.abspath(path), os.path.abspath(folder)
    return path.startswith(folder.rstrip("/") + "/")
