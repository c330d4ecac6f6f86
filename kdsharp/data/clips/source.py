"""Clips as a source: pairs of a true frame and the same frame as a player shows it."""

import os
import pathlib
from typing import Any

import numpy as np
from jaxtyping import UInt8

from kdsharp.data import decoding
from kdsharp.data.clips import codecs, rebuilding, recipes, shards
from kdsharp.data.recent import Recent
from kdsharp.errors import UserError

# Of each clip: soon after the first frame, which is a whole picture, and later ones,
# which lean on many others.
FRAMES = (4, 12, 20, 28)
# Clips that stay decoded, of 1.5 MB each.
_KEPT = 64


class Clips:
    """Frames of the clips that were prepared in the folder `root`.

    A clip gives a record for each of `FRAMES`; where that one was lost, the nearest
    that was decoded.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: str,
        *,
        cache_bytes: int = 1 << 28,
    ):
        codecs.need_av()
        root = pathlib.Path(root).expanduser()
        index = shards.read_index(root)
        if index is None:
            raise UserError(
                f"no clips are prepared in {root}: run 'kdsharp data prepare clips "
                f"--from DIR --out {root}' with a folder of photographs"
            )
        names = index.names()
        missing = sum(not shards.is_whole(root, name) for name in names)
        if missing:
            raise UserError(
                f"{missing} of {len(names)} files of clips are missing in {root}: run "
                f"'kdsharp data prepare clips --from {index.photographs} --out {root} "
                f"--count {index.count} --seed {index.seed}' to its end"
            )
        _check_originals(root, index)
        self.skipped: list[str] = []
        self._entries = [
            entry
            for name in names
            for entry in shards.read(root, name).entries
            if entry.recipe.split == split
        ]
        if not self._entries:
            raise UserError(
                f"of the clips in {root} none is for the split {split!r}: more "
                "photographs fill it"
            )
        self._originals = rebuilding.OriginalFiles(
            index.photographs, index.videos, cache_bytes=cache_bytes
        )
        self._pairs = Recent(self._rebuild, _KEPT)

    def __len__(self) -> int:
        return len(self._entries) * len(FRAMES)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The pair of frames at `index`: its key and its pixels."""
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        clip, place = divmod(index % len(self), len(FRAMES))
        true, shown = self._pairs(clip)
        number = self._entries[clip].recipe.index
        return {
            "key": f"clips/{number:06}/{FRAMES[place]:02}",
            "sharp": true[place],
            "blurred": shown[place],
        }

    @property
    def smallest(self) -> tuple[str, int, int]:
        """Key, height and width of any frame."""
        return "clips", recipes.HEIGHT, recipes.WIDTH

    @property
    def window(self) -> int:
        """How many frames, used in turn again and again, are decoded but once."""
        return _KEPT * len(FRAMES)

    def _rebuild(
        self, clip: int
    ) -> tuple[UInt8[np.ndarray, "frame h w 3"], UInt8[np.ndarray, "frame h w 3"]]:
        entry = self._entries[clip]
        try:
            held = rebuilding.rebuild(entry.recipe, entry.stream(), self._originals)
        except decoding.BadPictureError as error:
            raise UserError(
                f"the true frames of clip {entry.recipe.index} cannot be made: {error}"
            ) from error
        if not held.numbers:
            raise UserError(
                f"clip {entry.recipe.index} in {entry.path} cannot be decoded: remove "
                "that file and run 'kdsharp data prepare clips' again"
            )
        at = [int(np.abs(np.subtract(held.numbers, n)).argmin()) for n in FRAMES]
        chosen = rebuilding.Clip(
            [held.numbers[i] for i in at],
            [held.true[i] for i in at],
            [held.shown[i] for i in at],
        )
        true, shown = chosen.rgb()
        for pixels in (true, shown):
            pixels.setflags(write=False)
        return true, shown


def _check_originals(root: pathlib.Path, index: shards.Index) -> None:
    """Refuses originals of which true frames would be others than were encoded."""
    for path, size in index.originals().items():
        if not path.is_file():
            raise UserError(
                f"the clips in {root} need {path}, which is not there: put it back, or "
                "run 'kdsharp data prepare clips' with the folder where the originals "
                "are now"
            )
        if path.stat().st_size != size:
            raise UserError(
                f"the clips in {root} were made from another {path}: put that back, or "
                "prepare the clips anew in another folder"
            )
