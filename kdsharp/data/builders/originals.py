"""The builder of a data set of picture files: what all of them have in common."""

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
"""Beside the shards: keys, sizes and what was left out, all of it by split."""


class OriginalsBuilder(tfds.core.ShardBasedBuilder, skip_registration=True):
    """Copies the originals that a subclass finds, checked, as they are.

    Every shard is written beside the data set first and is moved in when all are
    there, so that preparing goes on from where it was killed.
    """

    VERSION = tfds.core.Version("1.0.0")
    ROLES: ClassVar[tuple[str, ...]] = paired.ROLES
    TITLE: ClassVar[str]
    HOMEPAGE: ClassVar[str]
    LICENCE: ClassVar[str]
    SHARD: ClassVar[int]
    """Originals in one shard, which is what a process copies at a time."""

    SCHEME: ClassVar[str | None] = None
    """How to divide what comes undivided, where a spec does not say."""

    processes = 1

    # Nothing is downloaded; looking for checksums, tfds would import what it does not
    # install.
    url_infos = None

    @property
    def complete(self) -> bool:
        """Whether it is prepared: tfds gives a folder its name when it is whole."""
        return pathlib.Path(self.data_path, INDEX).exists()

    @staticmethod
    def group(key: str) -> str:
        """What of a key decides its split: pictures that have it in common stay."""
        return key

    @classmethod
    def find(cls, folder: pathlib.Path) -> dict[str, list[Original]]:
        """The originals in the publisher's layout, by split."""
        raise NotImplementedError

    def _info(self) -> tfds.core.DatasetInfo:
        names = ("key", *self.ROLES)
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.TITLE,
            homepage=self.HOMEPAGE,
            license=self.LICENCE,
            # As bytes: tfds would decode a picture of its own, and check nothing.
            features=tfds.features.FeaturesDict(
                {name: tfds.features.Scalar(np.object_) for name in names}
            ),
            disable_shuffling=True,
        )

    def _shard_iterators_per_split(
        self, dl_manager: tfds.download.DownloadManager
    ) -> Mapping[str, Sequence[Any]]:
        found = self.find(pathlib.Path(dl_manager.manual_dir))
        features = self.info.features
        assert isinstance(features, tfds.features.FeaturesDict)
        shards = staging.copy(
            found,
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
                iterators[split] = [_Numbers(len(shard.keys)) for shard in full]
                self._staged += [shard.path for shard in full]
            index[split] = {
                "keys": [key for shard in made for key in shard.keys],
                "sizes": [size for shard in made for size in shard.sizes],
                "left_out": [pair for shard in made for pair in shard.left_out],
            }
        if not iterators:
            total = sum(map(len, found.values()))
            raise UserError(
                f"none of the {total} originals in {dl_manager.manual_dir} can be used "
                f"({_first_reason(index)}): get {self.TITLE} from {self.HOMEPAGE}"
            )
        pathlib.Path(self.data_dir, INDEX).write_text(json.dumps(index))
        return iterators

    def _example_writer(self) -> writer.ExampleWriter:
        return _Links(self._staged_in_turn())

    def _staged_in_turn(self) -> Iterator[pathlib.Path]:
        # Asked for before the shards are known, and used after.
        yield from self._staged


def staging_folder(builder: OriginalsBuilder) -> pathlib.Path:
    """Where shards lie until all of them are there."""
    root = pathlib.Path(builder.data_dir_root, builder.name)
    return root / f"preparing-{builder.version}"


class _Numbers:
    """Stands for the records of a shard that is written already: tfds counts them."""

    def __init__(self, count: int):
        self._count = count

    def __call__(self) -> Iterator[tuple[int, None]]:
        return ((i, None) for i in range(self._count))


class _Links(writer.ExampleWriter):
    """Gives each shard that tfds asks for the file that is there already."""

    def __init__(self, staged: Iterator[pathlib.Path]):
        super().__init__(tfds.core.FileFormat.ARRAY_RECORD)
        self._staged = staged

    def write(self, path: Any, examples: Iterable[Any]) -> None:
        del examples
        staging.link(next(self._staged), pathlib.Path(path))


def _first_reason(index: Mapping[str, Any]) -> str:
    reasons = [reason for split in index.values() for _, reason in split["left_out"]]
    return reasons[0] if reasons else "there is none"
