"""The source of prepared clips: pairs of a true frame and the frame a player shows."""

import os
import pathlib
from collections.abc import Sequence
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
# Frames in the cache, both of a pair: 96 MB.
_CACHED_FRAMES = 256


def open_clips(
    root: str | os.PathLike[str],
    split: str,
    *,
    frames: int = 0,
    cache_bytes: int = 1 << 28,
) -> "Clips":
    """Opens a folder of clips: single frames of them, or windows of `frames` each."""
    if frames > recipes.FRAMES:
        raise UserError(
            f"a clip has {recipes.FRAMES} frames: frames must be at most that, not "
            f"{frames}"
        )
    if not frames:
        return Clips(root, split, [[place] for place in FRAMES], cache_bytes)
    # As many windows as fit side by side, the first and the last at the ends.
    last = recipes.FRAMES - frames
    starts = np.linspace(0, last, recipes.FRAMES // frames).astype(int)
    windows = [list(range(start, start + frames)) for start in starts]
    return Clips(root, split, windows, cache_bytes)


class Clips:
    """Source of windows of the clips in the folder `root`: the frames of these numbers.

    A clip gives a record for each of `windows`, with the nearest decoded frame where
    one was lost. The frames of a window are joined along the channels, three for each,
    so that they are cropped and turned together.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: str,
        windows: Sequence[Sequence[int]],
        cache_bytes: int,
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
        self._windows = windows
        self._cached = max(2, _CACHED_FRAMES // sum(map(len, windows)))
        self._pairs = LruCache(self._rebuild, self._cached)

    def __len__(self) -> int:
        return len(self._entries) * len(self._windows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The record of the pair of windows at `index`."""
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        clip, place = divmod(index % len(self), len(self._windows))
        true, shown = self._pairs(clip)
        number = self._entries[clip].recipe.index
        return {
            "key": f"clips/{number:06}/{self._windows[place][0]:02}",
            "sharp": true[place],
            "blurred": shown[place],
        }

    @property
    def smallest(self) -> tuple[str, int, int]:
        """A name, height and width of the frames, which are all of one size."""
        return "clips", recipes.HEIGHT, recipes.WIDTH

    @property
    def window(self) -> int:
        """The number of records in the cache."""
        return self._cached * len(self._windows)

    def _rebuild(
        self, clip: int
    ) -> tuple[UInt8[np.ndarray, "window h w c"], UInt8[np.ndarray, "window h w c"]]:
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
        # Lost frames are replaced by the nearest one.
        wanted = np.ravel(self._windows)
        at = [int(np.abs(np.subtract(rebuilt.numbers, n)).argmin()) for n in wanted]
        chosen = rebuilding.Clip(
            [rebuilt.numbers[i] for i in at],
            [rebuilt.true[i] for i in at],
            [rebuilt.shown[i] for i in at],
        )
        true, shown = (self._join(frames) for frames in chosen.rgb())
        return true, shown

    def _join(
        self, frames: UInt8[np.ndarray, "frame h w 3"]
    ) -> UInt8[np.ndarray, "window h w c"]:
        """Joins the frames of each window along the channels."""
        count, (height, width, _) = len(self._windows), frames.shape[1:]
        windows = frames.reshape(count, -1, height, width, 3).transpose(0, 2, 3, 1, 4)
        joined = windows.reshape(count, height, width, -1)
        joined.setflags(write=False)
        return joined


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
