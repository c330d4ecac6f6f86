"""Copies originals into shards, by several processes, each shard only once.

A shard's name holds a digest of what goes into it. One that is there already is as it
would be made again, whoever made it; a half-written one has another name.
"""

import dataclasses
import hashlib
import io
import json
import os
import pathlib
import shutil
from collections.abc import Iterable, Iterator, Mapping

import tensorflow_datasets as tfds
from tensorflow_datasets.core import example_serializer, writer
from tqdm import tqdm

from kdsharp.data import decoding, workers
from kdsharp.data.paired import check_equal

# To be raised with every change of what a shard holds.
_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Original:
    """A picture or a pair as its publisher gives it: files by role."""

    key: str
    files: Mapping[str, pathlib.Path]


@dataclasses.dataclass(frozen=True)
class WrittenShard:
    """A shard that is written: what it holds, in order, and what it does not."""

    path: pathlib.Path
    keys: list[str]
    sizes: list[tuple[int, int]]
    left_out: list[tuple[str, str]]


@dataclasses.dataclass(frozen=True)
class _Job:
    path: pathlib.Path
    originals: list[Original]
    features: tfds.features.FeaturesDict


def copy(
    originals: Mapping[str, list[Original]],
    folder: pathlib.Path,
    *,
    features: tfds.features.FeaturesDict,
    size: int,
    processes: int,
) -> dict[str, list[WrittenShard]]:
    """The shards of every split, in order; those that are there already are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    jobs = {
        split: [
            _job(folder, split, members[i : i + size], features)
            for i in range(0, len(members), size)
        ]
        for split, members in originals.items()
    }
    missing = [job for row in jobs.values() for job in row if not job.path.exists()]
    total = sum(map(len, originals.values()))
    done = total - sum(len(job.originals) for job in missing)
    with tqdm(
        total=total, initial=done, desc="Copying", unit="picture", leave=False
    ) as bar:
        for count in workers.run(_write, missing, processes):
            bar.update(count)
    return {split: [_finished(job.path) for job in row] for split, row in jobs.items()}


def clear_unfinished(folder: pathlib.Path, version: str) -> None:
    """Removes what processes that were killed have left half done."""
    for path in folder.glob("*.unfinished-*"):
        path.unlink()
    for path in folder.parent.glob(f"incomplete.*_{version}"):
        shutil.rmtree(path)


def remove(folder: pathlib.Path) -> None:
    """Removes the shards' first names, which are not needed any more."""
    shutil.rmtree(folder)


def link(made: pathlib.Path, wanted: pathlib.Path) -> None:
    """Gives a file a second name, or copies it where a file can have but one."""
    try:
        os.link(made, wanted)
    except OSError:
        shutil.copyfile(made, wanted)


def _job(
    folder: pathlib.Path,
    split: str,
    originals: list[Original],
    features: tfds.features.FeaturesDict,
) -> _Job:
    digest = hashlib.sha256(repr((_VERSION, split)).encode())
    for original in originals:
        for role, path in sorted(original.files.items()):
            identity = (original.key, role, str(path), *_state(path))
            digest.update(repr(identity).encode("utf-8", "surrogateescape"))
    name = f"{split}-{digest.hexdigest()[:24]}.array_record"
    return _Job(folder / name, originals, features)


def _state(path: pathlib.Path) -> tuple[int, ...]:
    """What changes when a file does; nothing of a file that is missing."""
    try:
        state = path.stat()
    except OSError:
        return ()
    return state.st_size, state.st_mtime_ns


def _write(job: _Job) -> int:
    """Writes one shard and, before it gets its name, what it holds."""
    keys, sizes, left_out = [], [], []
    serializer = example_serializer.ExampleSerializer(
        job.features.get_serialized_info()
    )

    def records() -> Iterator[tuple[int, bytes]]:
        for original in job.originals:
            try:
                record, size = _read(original, set(job.features) - {"key"})
            except (decoding.BadPictureError, FileNotFoundError) as error:
                left_out.append((original.key, str(error)))
                continue
            encoded = job.features.encode_example(record)
            yield len(keys), serializer.serialize_example(encoded)
            keys.append(original.key)
            sizes.append(size)

    unfinished = job.path.with_suffix(f".unfinished-{os.getpid()}")
    shard = writer.ExampleWriter(tfds.core.FileFormat.ARRAY_RECORD)
    try:
        shard.write(unfinished, records())
        held = {"keys": keys, "sizes": sizes, "left_out": left_out}
        _contents(job.path).write_text(json.dumps(held))
        unfinished.replace(job.path)
    except RuntimeError as error:  # ArrayRecord's, where others raise OSError.
        reason = str(error).partition(";")[0]
        raise OSError(f"Cannot write into {job.path.parent} ({reason})") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return len(job.originals)


def _read(
    original: Original, roles: Iterable[str]
) -> tuple[dict[str, bytes], tuple[int, int]]:
    """The bytes of an original, decoded once to be sure, and its height and width."""
    for role in roles:
        if role not in original.files:
            (only,) = original.files.values()
            raise decoding.BadPictureError(f"{only.name} has no {role} partner")
    record = {role: original.files[role].read_bytes() for role in sorted(roles)}
    sizes = {}
    for role, data in record.items():
        try:
            sizes[role] = decoding.read(io.BytesIO(data)).shape[:2]
        except decoding.BadPictureError as error:
            which = f"the {role} picture: " if len(record) > 1 else ""
            raise decoding.BadPictureError(f"{which}{error}") from error
    check_equal(sizes["sharp"], sizes.get("blurred", sizes["sharp"]))
    key = original.key.encode("utf-8", "surrogateescape")
    return {"key": key, **record}, sizes["sharp"]


def _finished(path: pathlib.Path) -> WrittenShard:
    return WrittenShard(path, **json.loads(_contents(path).read_text()))


def _contents(path: pathlib.Path) -> pathlib.Path:
    return path.with_suffix(".json")
