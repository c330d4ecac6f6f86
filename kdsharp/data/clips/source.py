"""The source of prepared clips: pairs of a true frame and the frame a player shows."""

import os
import pathlib
from typing import Any

import numpy as np
from jaxtyping import UInt8

from kdsharp.data import decoding
from kdsharp.data.clips import codecs, rebuilding, recipes, shards
from kdsharp.data.lru_cache import LruCache
from kdsharp.errors import UserError

# The frames taken from each clip: one soon after the intra-coded first frame, and later
# ones, which depend on many others.
FRAMES = (4, 12, 20, 28)
# Decoded clips in the cache, 1.5 MB each.
_CACHED_CLIPS = 64


class Clips:
    """Source of frames of the clips in the folder `root`.

    A clip gives a record for each of `FRAMES`, or for the nearest decoded frame where
    one was lost.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: str,
        *,
        cache_bytes: int = 1 << 28,
    ):
        codecs.require_av()
        root = pathlib.Path(root).expanduser()
        index = shards.read_index(root)
        if index is None:
            raise UserError(
                f"no clips are prepared in {root}: run 'kdsharp data prepare clips "
                f"--from DIR --out {root}' with a folder of photographs"
            )
        names = index.names()
        missing = sum(not shards.is_complete(root, name) for name in names)
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
                f"none of the clips in {root} is in the split {split!r}: prepare them "
                "from more photographs"
            )
        self._originals = rebuilding.OriginalFiles(
            index.photographs, index.videos, cache_bytes=cache_bytes
        )
        self._pairs = LruCache(self._rebuild, _CACHED_CLIPS)

    def __len__(self) -> int:
        return len(self._entries) * len(FRAMES)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The record of the pair of frames at `index`."""
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
        """A name, height and width of the frames, which are all of one size."""
        return "clips", recipes.HEIGHT, recipes.WIDTH

    @property
    def window(self) -> int:
        """The number of frames in the cache."""
        return _CACHED_CLIPS * len(FRAMES)

    def _rebuild(
        self, clip: int
    ) -> tuple[UInt8[np.ndarray, "frame h w 3"], UInt8[np.ndarray, "frame h w 3"]]:
        entry = self._entries[clip]
        try:
            rebuilt = rebuilding.rebuild(entry.recipe, entry.stream(), self._originals)
        except decoding.BadPictureError as error:
            raise UserError(
                f"the true frames of clip {entry.recipe.index} cannot be rendered: "
                f"{error}"
            ) from error
        if not rebuilt.numbers:
            raise UserError(
                f"clip {entry.recipe.index} in {entry.path} cannot be decoded: remove "
                "that file and run 'kdsharp data prepare clips' again"
            )
        at = [int(np.abs(np.subtract(rebuilt.numbers, n)).argmin()) for n in FRAMES]
        chosen = rebuilding.Clip(
            [rebuilt.numbers[i] for i in at],
            [rebuilt.true[i] for i in at],
            [rebuilt.shown[i] for i in at],
        )
        true, shown = chosen.rgb()
        for pixels in (true, shown):
            pixels.setflags(write=False)
        return true, shown


def _check_originals(root: pathlib.Path, index: shards.Index) -> None:
    """Raises an error if originals are missing or have changed since encoding."""
    for path, size in index.originals().items():
        if not path.is_file():
            raise UserError(
                f"the clips in {root} need {path}, which is missing: restore it, or "
                "run 'kdsharp data prepare clips' with the new folder of the originals"
            )
        if path.stat().st_size != size:
            raise UserError(
                f"the clips in {root} were made from another {path}: restore that, or "
                "prepare the clips again in another folder"
            )
