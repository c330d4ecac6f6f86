"""Storage of prepared clips: a folder of shards with streams and recipes.

`clips.json` holds the seed, the count, and the photographs and videos. A shard is two
files: `000100-000199.bin` has the concatenated streams of these clips, and
`000100-000199.json` their recipes and sizes, and the clips that an encoder refused. The
.bin file is written last: if it exists, the shard is complete.
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
# Increase this with every change to the contents of clips.
_VERSION = 1
_INDEX = "clips.json"


@dataclasses.dataclass(frozen=True)
class Index:
    """The contents of `clips.json`: settings, and sizes of the original files."""

    seed: int
    count: int
    photographs: str
    """The folder of the photographs."""

    files: Mapping[str, int]
    """Bytes of each photograph by relative name."""

    videos: str = ""
    video_files: Mapping[str, int] = dataclasses.field(default_factory=dict)
    version: int = _VERSION

    def originals(self) -> dict[pathlib.Path, int]:
        """The size in bytes of every original file."""
        return {
            pathlib.Path(root, name): size
            for root, files in (
                (self.photographs, self.files),
                (self.videos, self.video_files),
            )
            for name, size in files.items()
        }

    def names(self) -> list[str]:
        """Names of the shards, in order."""
        firsts = range(0, self.count, SIZE)
        return [f"{i:06}-{min(i + SIZE, self.count) - 1:06}" for i in firsts]

    def write(self, folder: pathlib.Path) -> None:
        """Writes the index to a folder."""
        text = json.dumps(dataclasses.asdict(self), indent=1)
        atomic_files.write_text(folder / _INDEX, text + "\n")


def read_index(folder: pathlib.Path) -> Index | None:
    """Reads the index of a folder; None if the folder has none."""
    path = folder / _INDEX
    try:
        fields = json.loads(path.read_text())
        index = Index(**fields)
    except FileNotFoundError:
        return None
    except (TypeError, ValueError) as error:
        raise UserError(
            f"the file {path} is damaged: remove the folder and prepare it again"
        ) from error
    if index.version != _VERSION:
        raise UserError(
            f"the clips in {folder} are of version {index.version}, not {_VERSION}: "
            "remove the folder and prepare it again"
        )
    return index


@dataclasses.dataclass(frozen=True)
class StoredClip:
    """A stored clip: its recipe, and the location of its stream."""

    recipe: Recipe
    path: pathlib.Path
    start: int
    size: int

    def stream(self) -> bytes:
        """Reads the encoded stream; empty for recipes without a codec."""
        with open(self.path, "rb") as file:
            file.seek(self.start)
            return file.read(self.size)


@dataclasses.dataclass(frozen=True)
class Shard:
    """The clips of a shard; `refused` holds numbers and reasons."""

    entries: list[StoredClip]
    refused: list[tuple[int, str]]


def is_complete(folder: pathlib.Path, name: str) -> bool:
    """Whether the shard has been written completely."""
    return (folder / f"{name}.bin").exists()


def write(
    folder: pathlib.Path,
    name: str,
    clips: list[tuple[Recipe, bytes]],
    refused: list[tuple[int, str]],
) -> None:
    sizes = [len(stream) for _, stream in clips]
    recipes = [recipe.to_json() for recipe, _ in clips]
    summary = {"sizes": sizes, "refused": refused, "clips": recipes}
    atomic_files.write_text(folder / f"{name}.json", json.dumps(summary))
    streams = b"".join(stream for _, stream in clips)
    atomic_files.write_bytes(folder / f"{name}.bin", streams)


def read(folder: pathlib.Path, name: str) -> Shard:
    """Reads the recipes and stream locations of a shard."""
    path = folder / f"{name}.bin"
    try:
        summary = json.loads(path.with_suffix(".json").read_text())
        if path.stat().st_size != sum(summary["sizes"]):
            raise ValueError("truncated file")
        return Shard(
            list(_entries(path, summary)), [(i, why) for i, why in summary["refused"]]
        )
    except (FileNotFoundError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"the clips in {path} are damaged: remove that file and run 'kdsharp data "
            "prepare clips' again"
        ) from error


def _entries(path: pathlib.Path, summary: Mapping[str, Any]) -> Iterator[StoredClip]:
    start = 0
    for recipe, size in zip(summary["clips"], summary["sizes"], strict=True):
        yield StoredClip(Recipe.from_json(recipe), path, start, size)
        start += size
