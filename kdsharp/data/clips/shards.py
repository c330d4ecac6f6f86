"""A folder of prepared clips: streams and recipes, many to a file.

`clips.json` tells what the folder holds: the seed, the count, the
photographs and videos. A shard
is two files: `000100-000199.bin` has the streams of these clips one after the other and
`000100-000199.json` their recipes, where each stream begins, and which clips an encoder
refused. The streams come last: where they are, the shard is whole.
"""

import dataclasses
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from kdsharp.base import atomic_files
from kdsharp.data.clips.recipes import Recipe
from kdsharp.errors import UserError

SIZE = 100
# To be raised with every change of what a clip holds.
_VERSION = 1
_INDEX = "clips.json"


@dataclasses.dataclass(frozen=True)
class Index:
    """What a folder holds or will hold, of which originals, whose bytes are counted."""

    seed: int
    count: int
    photographs: str
    """The folder that they are in."""

    files: Mapping[str, int]
    """Bytes of each photograph."""

    videos: str = ""
    video_files: Mapping[str, int] = dataclasses.field(default_factory=dict)
    version: int = _VERSION

    def originals(self) -> dict[pathlib.Path, int]:
        """Every file that is needed, and its bytes."""
        return {
            pathlib.Path(root, name): size
            for root, files in (
                (self.photographs, self.files),
                (self.videos, self.video_files),
            )
            for name, size in files.items()
        }

    def names(self) -> list[str]:
        """Of the shards, in order."""
        firsts = range(0, self.count, SIZE)
        return [f"{i:06}-{min(i + SIZE, self.count) - 1:06}" for i in firsts]

    def write(self, folder: pathlib.Path) -> None:
        """Writes the index of a folder."""
        text = json.dumps(dataclasses.asdict(self), indent=1)
        atomic_files.write_text(folder / _INDEX, text + "\n")


def read_index(folder: pathlib.Path) -> Index | None:
    """The index of a folder, or None where no clips are."""
    path = folder / _INDEX
    try:
        held = json.loads(path.read_text())
        index = Index(**held)
    except FileNotFoundError:
        return None
    except (TypeError, ValueError) as error:
        raise UserError(
            f"the file {path} is damaged: remove the folder and prepare it anew"
        ) from error
    if index.version != _VERSION:
        raise UserError(
            f"the clips in {folder} are of version {index.version}, not {_VERSION}: "
            "remove the folder and prepare it anew"
        )
    return index


@dataclasses.dataclass(frozen=True)
class StoredClip:
    """A clip: its recipe and where its stream lies."""

    recipe: Recipe
    path: pathlib.Path
    start: int
    size: int

    def stream(self) -> bytes:
        """The encoded stream; empty for a clip that is never encoded."""
        with open(self.path, "rb") as file:
            file.seek(self.start)
            return file.read(self.size)


@dataclasses.dataclass(frozen=True)
class Shard:
    """Clips that belong to a pair of files; `refused` has numbers and reasons."""

    entries: list[StoredClip]
    refused: list[tuple[int, str]]


def is_whole(folder: pathlib.Path, name: str) -> bool:
    """Whether the shard of that name has been written to its end."""
    return (folder / f"{name}.bin").exists()


def write(
    folder: pathlib.Path,
    name: str,
    clips: list[tuple[Recipe, bytes]],
    refused: list[tuple[int, str]],
) -> None:
    """Writes a shard."""
    sizes = [len(stream) for _, stream in clips]
    recipes = [recipe.to_json() for recipe, _ in clips]
    held = {"sizes": sizes, "refused": refused, "clips": recipes}
    atomic_files.write_text(folder / f"{name}.json", json.dumps(held))
    streams = b"".join(stream for _, stream in clips)
    atomic_files.write_bytes(folder / f"{name}.bin", streams)


def read(folder: pathlib.Path, name: str) -> Shard:
    """Reads a shard, but not the streams."""
    path = folder / f"{name}.bin"
    try:
        held = json.loads(path.with_suffix(".json").read_text())
        if path.stat().st_size != sum(held["sizes"]):
            raise ValueError("it was cut")
        return Shard(
            list(_entries(path, held)), [(i, why) for i, why in held["refused"]]
        )
    except (FileNotFoundError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"the clips in {path} are damaged: remove that file and run 'kdsharp data "
            "prepare clips' again"
        ) from error


def _entries(path: pathlib.Path, held: Mapping[str, Any]) -> Iterator[StoredClip]:
    start = 0
    for recipe, size in zip(held["clips"], held["sizes"], strict=True):
        yield StoredClip(Recipe.from_json(recipe), path, start, size)
        start += size
