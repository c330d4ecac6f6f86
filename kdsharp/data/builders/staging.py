"""Copies original files into shards, in several processes.

A shard's name holds a digest of its inputs, so an existing shard never has to be
written again. Unfinished shards have other names.
"""

import dataclasses
import hashlib
import io
import json
import os
import pathlib
import shutil
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import tensorflow_datasets as tfds
from tensorflow_datasets.core import example_serializer, writer
from tqdm import tqdm

from kdsharp.data import decoding, workers
from kdsharp.data.paired import check_same_size

# Increase this with every change to the contents of shards.
_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Original:
    """A picture or a pair as published: files by role."""

    key: str
    files: Mapping[str, pathlib.Path]


@dataclasses.dataclass(frozen=True)
class WrittenShard:
    """A finished shard: its pictures in order, and those left out."""

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
    """Writes the shards of every split, unless they exist; returns them in order."""
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
    """Removes unfinished files that killed processes left behind."""
    for path in folder.glob("*.unfinished-*"):
        path.unlink()
    for path in folder.parent.glob(f"incomplete.*_{version}"):
        shutil.rmtree(path)


def link(source: pathlib.Path, target: pathlib.Path) -> None:
    """Hard-links a file, or copies it where links are not supported."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _job(
    folder: pathlib.Path,
    split: str,
    originals: list[Original],
    features: tfds.features.FeaturesDict,
) -> _Job:
    digest = hashlib.sha256(repr((_VERSION, split)).encode())
    for original in originals:
        for role, path in sorted(original.files.items()):
            identity = (original.key, role, str(path), *_file_state(path))
            digest.update(repr(identity).encode("utf-8", "surrogateescape"))
    name = f"{split}-{digest.hexdigest()[:24]}.array_record"
    return _Job(folder / name, originals, features)


def _file_state(path: pathlib.Path) -> tuple[int, ...]:
    """Size and modification time of a file; empty if it is missing."""
    try:
        state = path.stat()
    except OSError:
        return ()
    return state.st_size, state.st_mtime_ns


def _write(job: _Job) -> int:
    """Writes a shard and its JSON file; returns the number of originals."""
    keys, sizes, left_out = [], [], []
    specs: Any = job.features.get_serialized_info()
    serializer = example_serializer.ExampleSerializer(specs)

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
    except RuntimeError as error:  # ArrayRecord raises this instead of OSError.
        reason = str(error).partition(";")[0]
        raise OSError(f"cannot write to {job.path.parent} ({reason})") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return len(job.originals)


def _read(
    original: Original, roles: Iterable[str]
) -> tuple[dict[str, bytes], tuple[int, int]]:
    """Reads and checks the bytes of an original; also returns height and width."""
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
    check_same_size(sizes["sharp"], sizes.get("blurred", sizes["sharp"]))
    key = original.key.encode("utf-8", "surrogateescape")
    return {"key": key, **record}, sizes["sharp"]


def _finished(path: pathlib.Path) -> WrittenShard:
    return WrittenShard(path, **json.loads(_contents(path).read_text()))


def _contents(path: pathlib.Path) -> pathlib.Path:
    return path.with_suffix(".json")
