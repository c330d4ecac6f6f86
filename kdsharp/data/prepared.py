"""The source of a prepared data set: records read through tfds and decoded here."""

import contextlib
import dataclasses
import io
import json
import os
import pathlib
import shutil
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from kdsharp.data import builders, decoding, files, folder, paired, splits, workers
from kdsharp.data.builders import originals, staging
from kdsharp.errors import UserError

# Names of data sets that tfds itself can prepare, which are used if they have records.
_TFDS_NAMES = {"celeba": "celeb_a"}
# Names of the features in these.
_TFDS_FEATURES = {"sharp": "image"}


@dataclasses.dataclass(frozen=True)
class Contents:
    """The pictures of a prepared data set, and those that were left out."""

    path: pathlib.Path
    roles: Mapping[str, str]
    """The feature of a record that holds the picture of each role."""

    places: Mapping[str, tuple[str, int]]
    """Split and row of each picture by name; names begin with the split."""

    sizes: Mapping[str, tuple[int, int]]
    """Height and width by name, where known."""

    left_out: Mapping[str, list[tuple[str, str]]]
    """Keys and reasons by split."""


def open_split(
    name: str,
    split: str,
    scheme: str | None = None,
    *,
    cache_bytes: int = files.DEFAULT_CACHE_BYTES,
    data_dir: str | os.PathLike[str] | None = None,
) -> "PreparedSource":
    """Opens a split of a prepared data set."""
    builder = builders.load(name)
    found = contents(name, data_dir)
    subfolders = splits.find_subfolders(
        {split for split, _ in found.places.values()}.__contains__
    )
    divided = "train" in subfolders and "valid" in subfolders
    chosen = splits.choose(
        found.places,
        split,
        subfolders=subfolders,
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
    """Prepares a data set from the files in `origin`, unless it is prepared already."""
    builder = builders.load(name)(
        data_dir=builders.data_dir(data_dir), file_format="array_record"
    )
    origin = pathlib.Path(origin).expanduser().absolute()
    folder.check(origin)
    if processes < 1:
        raise UserError(f"processes must be at least 1, not {processes}")
    if not builder.complete:
        builder.find(origin)  # Raises an error for another layout, before any writing.
        builder.processes = processes
        staged = originals.staging_folder(builder)
        with workers.exclusive_folder(staged, staged.parent):
            staging.clear_unfinished(staged, str(builder.version))
            # tfds prints that it downloads, which it does not.
            with contextlib.redirect_stdout(io.StringIO()):
                builder.download_and_prepare(
                    # tfds always creates this folder.
                    download_dir=staged / "downloads",
                    download_config=tfds.download.DownloadConfig(
                        manual_dir=origin, try_download_gcs=False
                    ),
                )
            shutil.rmtree(staged)
    return contents(name, data_dir)


def contents(name: str, data_dir: str | os.PathLike[str] | None = None) -> Contents:
    """Reads which pictures of a data set are prepared."""
    root = builders.data_dir(data_dir)
    builder = builders.load(name)(data_dir=root)
    if builder.complete:
        path = pathlib.Path(builder.data_path)
        index = json.loads((path / originals.INDEX).read_text())
        places, sizes = {}, {}
        for split, entry in index.items():
            for row, key in enumerate(entry["keys"]):
                places[f"{split}/{key}"] = (split, row)
                sizes[f"{split}/{key}"] = tuple(entry["sizes"][row])
        return Contents(
            path,
            {role: role for role in builder.ROLES},
            places,
            sizes,
            {split: entry["left_out"] for split, entry in index.items()},
        )
    if name in _TFDS_NAMES:
        others = sorted((root / _TFDS_NAMES[name]).glob("*/"), reverse=True)
        for path in others:
            if any(path.glob("*.array_record-*")):
                return _contents_of_tfds(path, builder.ROLES)
        for path in others:
            if any(path.glob("*.tfrecord-*")):
                raise UserError(
                    f"tfds prepared TFRecord files in {path}, which only TensorFlow "
                    f"can read: run 'tfds build {_TFDS_NAMES[name]} "
                    "--file_format=array_record', or 'kdsharp data prepare "
                    f"{name} --from FOLDER'"
                )
    option = f" --data-dir {root}" if data_dir is not None else ""
    raise UserError(
        f"{builder.TITLE} is not prepared in {root}: from {builder.HOMEPAGE}, "
        f"{builder.MANUAL_DOWNLOAD_INSTRUCTIONS}; then run 'kdsharp data prepare "
        f"{name} --from FOLDER{option}'"
    )


def _contents_of_tfds(path: pathlib.Path, roles: Iterable[str]) -> Contents:
    infos = tfds.builder_from_directory(path).info.splits
    places = {
        f"{split}/{row:06d}": (split, row)
        for split, info in infos.items()
        for row in range(info.num_examples)
    }
    return Contents(
        path, {role: _TFDS_FEATURES[role] for role in roles}, places, {}, {}
    )


class PreparedSource(files.PictureFiles):
    """Source of the pictures `names` of a prepared data set, decoded on access."""

    _kind = "pictures"
    _advice = "remove that folder and prepare it again"

    def __init__(
        self,
        contents: Contents,
        names: Sequence[str],
        *,
        cache_bytes: int = files.DEFAULT_CACHE_BYTES,
    ):
        self._places = {name: contents.places[name] for name in names}
        self._sizes = {
            name: contents.sizes[name] for name in names if name in contents.sizes
        }
        self._parts = contents.roles
        self._pictures_per_record = len(contents.roles)
        super().__init__(contents.path, names, cache_bytes=cache_bytes)
        if not self._sizes:
            self.smallest = None
        for split in {split for split, _ in self._places.values()}:
            self._open(split)

    def __getstate__(self) -> dict[str, Any]:
        # Every process opens the shards itself.
        state = super().__getstate__()
        del state["_opening"], state["_records"]
        return state

    def _reset_cache(self):
        super()._reset_cache()
        self._opening = threading.Lock()
        self._records: dict[str, Sequence[Mapping[str, Any]]] = {}

    def _size(self, name: str) -> tuple[int, int]:
        return self._sizes.get(name, (0, 0))

    def _read(self, name: str) -> files.Pixels:
        split, row = self._places[name]
        try:
            record = self._open(split)[row]
        # Raised by the record reader for damaged files.
        except (OSError, RuntimeError, ValueError) as error:
            raise decoding.BadPictureError(f"damaged record: {error}") from error
        decoded = [decoding.decode(io.BytesIO(record[p])) for p in self._parts.values()]
        return decoded[0] if len(decoded) == 1 else paired.stack(*decoded)

    def _record(self, pixels: files.Pixels) -> dict[str, files.Pixels]:
        if len(self._parts) == 1:
            return {"sharp": pixels}
        return dict(zip(self._parts, np.asarray(pixels), strict=True))

    def _open(self, split: str) -> Sequence[Mapping[str, Any]]:
        with self._opening:
            if split not in self._records:
                builder = tfds.builder_from_directory(self._root)
                for path in builder.info.splits[split].filepaths:
                    if not path.exists():
                        raise UserError(f"the file {path} is missing: {self._advice}")
                features = builder.info.features
                assert isinstance(features, tfds.features.FeaturesDict)
                # Raw bytes: tfds would not check pictures nor apply their orientation.
                skip = {
                    part: tfds.decode.SkipDecoding()
                    for part in self._parts.values()
                    if isinstance(features[part], tfds.features.Image)
                }
                as_data_source: Any = builder.as_data_source  # Decorated, untyped.
                self._records[split] = as_data_source(split, decoders=skip)
            return self._records[split]
