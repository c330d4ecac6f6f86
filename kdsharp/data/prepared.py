"""Data sets that are prepared: read by tfds, decoded and checked here."""

import contextlib
import dataclasses
import io
import json
import os
import pathlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import tensorflow_datasets as tfds

from kdsharp.data import builders, decoding, files, folder, paired, splits, workers
from kdsharp.data.builders import originals, staging
from kdsharp.errors import UserError

# What tfds prepares itself serves as well, if it is in a format that has records.
_OF_TFDS = {"celeba": "celeb_a"}
# As tfds names the parts of a record.
_OTHER_NAMES = {"sharp": "image"}


@dataclasses.dataclass(frozen=True)
class Contents:
    """What is prepared: where each picture's record is, and what is not there."""

    path: pathlib.Path
    roles: Mapping[str, str]
    """The part of a record that holds each role's bytes."""

    places: Mapping[str, tuple[str, int]]
    """Split and row of each picture, by name, which begins with the split."""

    sizes: Mapping[str, tuple[int, int]]
    """Height and width by name, where that is known."""

    left_out: Mapping[str, list[tuple[str, str]]]
    """Keys and reasons, by split."""


def open_data(
    name: str,
    split: str,
    scheme: str | None = None,
    *,
    cache_bytes: int = files.DEFAULT_CACHE_BYTES,
    data_dir: str | os.PathLike[str] | None = None,
) -> "Prepared":
    """The pictures of a data set's split; it has to have been prepared."""
    builder = builders.load(name)
    found = contents(name, data_dir)
    own = splits.own_subfolders(
        {split for split, _ in found.places.values()}.__contains__
    )
    divided = "train" in own and "valid" in own
    chosen = splits.choose(
        found.places,
        split,
        own=own,
        scheme=scheme or (None if divided else builder.SCHEME),
        where=builder.TITLE,
        group=lambda name: builder.group(name.partition("/")[2]),
    )
    return PreparedSource(found, chosen, cache_bytes=cache_bytes)


def prepare(
    name: str,
    origin: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    processes: int = 1,
) -> Contents:
    """What is prepared when this is over; what is prepared already is left alone."""
    builder = builders.load(name)(
        data_dir=builders.data_dir(data_dir), file_format="array_record"
    )
    origin = pathlib.Path(origin).expanduser().absolute()
    folder.check(origin)
    if processes < 1:
        raise UserError(f"processes must be at least 1, not {processes}")
    if not builder.complete:
        builder.find(origin)  # Another layout is told before anything is written.
        builder.processes = processes
        staged = originals.staging_folder(builder)
        with workers.only_one(staged, staged.parent):
            staging.clear_unfinished(staged, str(builder.version))
            # What tfds prints says that it downloads, which it does not.
            with contextlib.redirect_stdout(io.StringIO()):
                builder.download_and_prepare(
                    # Only because tfds makes a folder for downloads in any case.
                    download_dir=staged / "downloads",
                    download_config=tfds.download.DownloadConfig(
                        manual_dir=origin, try_download_gcs=False
                    ),
                )
            staging.remove(staged)
    return contents(name, data_dir)


def contents(name: str, data_dir: str | os.PathLike[str] | None = None) -> Contents:
    """What is prepared of a data set."""
    root = builders.data_dir(data_dir)
    builder = builders.load(name)(data_dir=root)
    if builder.complete:
        path = pathlib.Path(builder.data_path)
        index = json.loads((path / originals.INDEX).read_text())
        places, sizes = {}, {}
        for split, held in index.items():
            for row, key in enumerate(held["keys"]):
                places[f"{split}/{key}"] = (split, row)
                sizes[f"{split}/{key}"] = tuple(held["sizes"][row])
        return Contents(
            path,
            {role: role for role in builder.ROLES},
            places,
            sizes,
            {split: held["left_out"] for split, held in index.items()},
        )
    if name in _OF_TFDS:
        others = sorted((root / _OF_TFDS[name]).glob("*/"), reverse=True)
        for path in others:
            if any(path.glob("*.array_record-*")):
                return _contents_of_tfds(path, builder.ROLES)
        for path in others:
            if any(path.glob("*.tfrecord-*")):
                raise UserError(
                    f"what tfds prepared in {path} are TFRecord files, which only "
                    "TensorFlow reads: run 'tfds build "
                    f"{_OF_TFDS[name]} --file_format=array_record', or 'kdsharp data "
                    f"prepare {name} --from FOLDER'"
                )
    option = f" --data-dir {root}" if data_dir is not None else ""
    raise UserError(
        f"{builder.TITLE} is not prepared in {root}: from {builder.HOMEPAGE}, "
        f"{builder.MANUAL_DOWNLOAD_INSTRUCTIONS}; then run 'kdsharp data prepare "
        f"{name} --from FOLDER{option}'"
    )


def _contents_of_tfds(path: pathlib.Path, roles: Iterable[str]) -> Contents:
    held = tfds.builder_from_directory(path).info.splits
    places = {
        f"{split}/{row:06d}": (split, row)
        for split, info in held.items()
        for row in range(info.num_examples)
    }
    return Contents(path, {role: _OTHER_NAMES[role] for role in roles}, places, {}, {})


class PreparedSource(files.Files):
    """Pictures `names` of what is prepared, decoded when asked for."""

    _kind = "pictures"
    _wanted = "remove that folder and prepare it anew"

    def __init__(
        self,
        held: Contents,
        names: Sequence[str],
        *,
        cache_bytes: int = files.DEFAULT_CACHE_BYTES,
    ):
        self._places = {name: held.places[name] for name in names}
        self._sizes = {name: held.sizes[name] for name in names if name in held.sizes}
        self._parts = held.roles
        self._each = len(held.roles)
        super().__init__(held.path, names, cache_bytes=cache_bytes)
        if not self._sizes:
            self.smallest = None
        for split in {split for split, _ in self._places.values()}:
            self._open(split)

    def __getstate__(self) -> dict[str, Any]:
        # Every process opens the shards for itself.
        state = super().__getstate__()
        del state["_opening"], state["_records"]
        return state

    def _forget(self):
        super()._forget()
        self._opening = threading.Lock()
        self._records: dict[str, Sequence[Mapping[str, Any]]] = {}

    def _size(self, name: str) -> tuple[int, int]:
        return self._sizes.get(name, (0, 0))

    def _read(self, name: str) -> files.Pixels:
        split, row = self._places[name]
        try:
            record = self._open(split)[row]
        # What the reader of records raises where a file is damaged.
        except (OSError, RuntimeError, ValueError) as error:
            raise decoding.BadPictureError(f"damaged record: {error}") from error
        decoded = [decoding.decode(io.BytesIO(record[p])) for p in self._parts.values()]
        return decoded[0] if len(decoded) == 1 else paired.stack(*decoded)

    def _record(self, pixels: files.Pixels) -> dict[str, files.Pixels]:
        if len(self._parts) == 1:
            return {"sharp": pixels}
        return dict(zip(self._parts, pixels, strict=True))

    def _open(self, split: str) -> Sequence[Mapping[str, Any]]:
        with self._opening:
            if split not in self._records:
                builder = tfds.builder_from_directory(self._root)
                for path in builder.info.splits[split].filepaths:
                    if not path.exists():
                        raise UserError(f"the file {path} is lost: {self._wanted}")
                # Bytes as they are: tfds checks no picture, and knows no orientation.
                skip = {
                    part: tfds.decode.SkipDecoding()
                    for part in self._parts.values()
                    if isinstance(builder.info.features[part], tfds.features.Image)
                }
                self._records[split] = builder.as_data_source(split, decoders=skip)
            return self._records[split]
