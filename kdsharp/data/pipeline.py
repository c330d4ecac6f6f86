"""From a source to batches of random crops, on grain.

Batch number N depends on the seed and on N alone: not on the number of workers, nor
on whether the run was interrupted, nor on how many hosts share it.
"""

from collections.abc import Iterator
from typing import Any

import grain
import numpy as np

from kdsharp.data.sources import Source
from kdsharp.errors import UserError

Batch = dict[str, np.ndarray]

AUGMENTATIONS = ("none", "flip", "dihedral")
_PIXELS = ("sharp", "blurred")


def batches(
    source: Source,
    *,
    batch_size: int,
    patch_size: int,
    seed: int,
    start_step: int = 0,
    crops_per_picture: int = 1,
    augment: str = "flip",
    workers: int = 0,
    threads: int = 2,
    buffered: int = 8,
    host_index: int = 0,
    host_count: int = 1,
) -> Iterator[Batch]:
    """Endless batches, uint8 `[batch, patch, patch, 3]` under `sharp` (and `blurred`).

    Every epoch visits each picture once, in a fresh order.

    Args:
      source: where the pictures come from.
      batch_size: rows of the global batch, of which this host gets its share.
      patch_size: height and width of a crop.
      seed: of the order, the crops and the flips.
      start_step: number of the first batch.
      crops_per_picture: crops that follow one another out of one decoded picture.
      augment: `none`, `flip` (left and right) or `dihedral` (all eight positions).
      workers: processes that prepare batches; with none, threads of this one do.
      threads: threads that prepare batches, in each process.
      buffered: batches kept ready, in each process.
      host_index: which of the hosts this one is.
      host_count: hosts among which the rows of a batch are shared out.
    """
    _check(source, batch_size, patch_size, crops_per_picture, augment)
    if batch_size % host_count:
        raise UserError(
            f"A batch of {batch_size} cannot be shared by {host_count} hosts: use a "
            "multiple."
        )
    dataset = grain.MapDataset.source(source).seed(seed).shuffle().repeat()
    if crops_per_picture > 1:
        dataset = _Held(dataset, crops_per_picture)
    dataset = dataset.random_map(_Crop(patch_size, augment))
    dataset = dataset.batch(batch_size // host_count, drop_remainder=True)
    # The rows of one global batch lie in a row of local batches, one per host.
    first = start_step * host_count + host_index
    dataset = dataset[first::host_count].to_iter_dataset(
        grain.ReadOptions(num_threads=threads, prefetch_buffer_size=buffered)
    )
    if workers:
        dataset = dataset.mp_prefetch(
            grain.MultiprocessingOptions(
                num_workers=workers, per_worker_buffer_size=buffered
            )
        )
    return iter(dataset)


def steps_per_epoch(
    source: Source, batch_size: int, crops_per_picture: int = 1
) -> int:
    """Batches until every picture has been visited once."""
    return -(-len(source) * crops_per_picture // batch_size)


def whole_pictures(
    source: Source, limit: int | None = None
) -> Iterator[dict[str, Any]]:
    """Records of the first `limit` pictures, uncropped, in order, none twice."""
    seen = set()
    for index in range(len(source)):
        if limit is not None and len(seen) >= limit:
            return
        record = source[index]
        # A damaged file's place is taken by the next picture, which has its own.
        if record["key"] not in seen:
            seen.add(record["key"])
            yield record


class _Held(grain.MapDataset):
    """Every element of the parent several times over, one after the other."""

    def __init__(self, parent: grain.MapDataset, times: int):
        super().__init__(parent)
        self._times = times

    def __len__(self) -> int:
        return len(self._parent)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return self.slice(index)
        return self._parent[index // self._times]


class _Crop(grain.transforms.RandomMap):
    """A square out of a picture, the same out of each of a pair, perhaps mirrored."""

    def __init__(self, patch_size: int, augment: str):
        self._patch_size = patch_size
        self._augment = augment

    def random_map(self, element: dict[str, Any], rng: np.random.Generator) -> Batch:
        height, width = element["sharp"].shape[:2]
        size = self._patch_size
        if min(height, width) < size:
            raise UserError(_too_large(size, element["key"], height, width))
        top = rng.integers(height - size + 1)
        left = rng.integers(width - size + 1)
        across, down, swap = rng.integers(2, size=3)
        crops = {}
        for name in _PIXELS:
            if name in element:
                crop = element[name][top : top + size, left : left + size]
                if across and self._augment != "none":
                    crop = crop[:, ::-1]
                if down and self._augment == "dihedral":
                    crop = crop[::-1]
                if swap and self._augment == "dihedral":
                    crop = crop.swapaxes(0, 1)
                crops[name] = crop
        return crops


def _check(
    source: Source,
    batch_size: int,
    patch_size: int,
    crops_per_picture: int,
    augment: str,
):
    for name, value in (
        ("batch_size", batch_size),
        ("patch_size", patch_size),
        ("crops_per_picture", crops_per_picture),
    ):
        if value < 1:
            raise UserError(f"{name} is {value}: it must be at least 1.")
    if augment not in AUGMENTATIONS:
        raise UserError(
            f"There is no augmentation {augment!r}: use one of "
            f"{', '.join(AUGMENTATIONS)}."
        )
    if source.smallest is not None:
        key, height, width = source.smallest
        if min(height, width) < patch_size:
            raise UserError(_too_large(patch_size, key, height, width))


def _too_large(patch_size: int, key: str, height: int, width: int) -> str:
    return (
        f"A patch of {patch_size} pixels does not fit the picture {key}, which is "
        f"{width}x{height}: use a smaller patch or leave that picture out."
    )
