"""The base class of builders, which copies picture files into shards."""

import json
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core import writer

from kdsharp.data import paired
from kdsharp.data.builders import staging
from kdsharp.data.builders.staging import Original
from kdsharp.errors import UserError

INDEX = "pictures.json"
"""A file beside the shards: keys, sizes and left-out pictures by split."""


class OriginalsBuilder(tfds.core.ShardBasedBuilder, skip_registration=True):
    """Checks the original files that a subclass finds, and copies them unchanged.

    Shards are written to a staging folder and moved to the data set when all are
    complete, so that an interrupted preparation can continue.
    """

    VERSION = tfds.core.Version("1.0.0")
    ROLES: ClassVar[tuple[str, ...]] = paired.ROLES
    TITLE: ClassVar[str]
    HOMEPAGE: ClassVar[str]
    LICENCE: ClassVar[str]
    SHARD: ClassVar[int]
    """Originals per shard, the unit of work of a process."""

    SCHEME: ClassVar[str | None] = None
    """The default scheme for data sets without official splits."""

    processes = 1

    # Nothing is downloaded. To look for checksums, tfds would import packages that it
    # does not install.
    url_infos = None

    @property
    def complete(self) -> bool:
        """Whether the data set is prepared."""
        return pathlib.Path(self.data_path, INDEX).exists()

    @staticmethod
    def group(key: str) -> str:
        """The part of a key whose hash decides the split."""
        return key

    @classmethod
    def find(cls, folder: pathlib.Path) -> dict[str, list[Original]]:
        """Finds the originals in the publisher's layout, by split."""
        raise NotImplementedError

    def _info(self) -> tfds.core.DatasetInfo:
        names = ("key", *self.ROLES)
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.TITLE,
            homepage=self.HOMEPAGE,
            license=self.LICENCE,
            # As bytes, since the picture features of tfds would be decoded unchecked.
            features=tfds.features.FeaturesDict(
                {name: tfds.features.Scalar(np.object_) for name in names}
            ),
            disable_shuffling=True,
        )

    def _shard_iterators_per_split(
        self, dl_manager: tfds.download.DownloadManager
    ) -> Mapping[str, Sequence[Any]]:
        pictures = self.find(pathlib.Path(dl_manager.manual_dir))
        features = self.info.features
        assert isinstance(features, tfds.features.FeaturesDict)
        shards = staging.copy(
            pictures,
            staging_folder(self),
            features=features,
            size=self.SHARD,
            processes=self.processes,
        )
        self._staged: list[pathlib.Path] = []
        iterators, index = {}, {}
        for split, made in shards.items():
            full = [shard for shard in made if shard.keys]
            if full:
                iterators[split] = [_Placeholders(len(shard.keys)) for shard in full]
                self._staged += [shard.path for shard in full]
            index[split] = {
                "keys": [key for shard in made for key in shard.keys],
                "sizes": [size for shard in made for size in shard.sizes],
                "left_out": [pair for shard in made for pair in shard.left_out],
            }
        if not iterators:
            total = sum(map(len, pictures.values()))
            raise UserError(
                f"none of the {total} originals in {dl_manager.manual_dir} can be used "
                f"({_first_reason(index)}): get {self.TITLE} from {self.HOMEPAGE}"
            )
        pathlib.Path(self.data_dir, INDEX).write_text(json.dumps(index))
        return iterators

    def _example_writer(self) -> writer.ExampleWriter:
        return _LinkWriter(self._staged_paths())

    def _staged_paths(self) -> Iterator[pathlib.Path]:
        # A generator, since the writer is created before the shards are known.
        yield from self._staged


def staging_folder(builder: OriginalsBuilder) -> pathlib.Path:
    """The folder of finished shards, until all are complete."""
    root = pathlib.Path(builder.data_dir_root, builder.name)
    return root / f"preparing-{builder.version}"


class _Placeholders:
    """Placeholder records of a shard that is already written, for tfds to count."""

    def __init__(self, count: int):
        self._count = count

    def __call__(self) -> Iterator[tuple[int, None]]:
        return ((i, None) for i in range(self._count))


class _LinkWriter(writer.ExampleWriter):
    """An example writer that links finished shards instead of writing them."""

    def __init__(self, staged: Iterator[pathlib.Path]):
        super().__init__(tfds.core.FileFormat.ARRAY_RECORD)
        self._staged = staged

    def write(self, path: Any, examples: Iterable[Any]) -> None:
        del examples
        staging.link(next(self._staged), pathlib.Path(path))


def _first_reason(index: Mapping[str, Any]) -> str:
    reasons = [reason for split in index.values() for _, reason in split["left_out"]]
    return reasons[0] if reasons else "none found"
