"""The input pipeline: batches of random crops from a source, built on grain.

Batch N depends on the seed and N alone, not on the number of workers or hosts, nor on
whether the run was interrupted.
"""

import weakref
from collections.abc import Iterator
from typing import Any

import grain
import numpy as np
from absl import flags
from PIL import Image

from kdsharp.base import choices
from kdsharp.data.order import Order
from kdsharp.data.sources import Source
from kdsharp.errors import UserError

Batch = dict[str, np.ndarray]

AUGMENTATIONS = ("none", "flip", "dihedral")
PIXELS = ("sharp", "blurred")
"""The fields of a record that are pictures; only pairs have `blurred`."""
MAX_SHRINK = 3.0
"""The largest factor by which crops are downscaled."""


def batches(
    source: Source,
    *,
    batch_size: int,
    patch_size: int,
    seed: int,
    start_step: int = 0,
    crops_per_picture: int = 1,
    augment: str = "flip",
    shrink: float = 0.0,
    extremes: float = 0.0,
    workers: int = 0,
    threads: int = 2,
    buffered: int = 8,
    host_index: int = 0,
    host_count: int = 1,
) -> Iterator[Batch]:
    """Yields batches without end: uint8 `[batch, patch, patch, 3]` by name.

    Windows of several frames have three channels for each frame. The names are `sharp`,
    and `blurred` for a source of pairs. The crops of one picture are spread over the
    epoch, so that the crops of a batch come from many pictures.

    Args:
      source: the source of pictures.
      batch_size: size of the global batch, which is divided among the hosts.
      patch_size: height and width of a crop.
      seed: seed of the order, the crops and the augmentation.
      start_step: number of the first batch.
      crops_per_picture: crops of each picture per epoch.
      augment: `none`, `flip` (horizontally) or `dihedral` (flips and transposition).
      shrink: fraction of crops that are cut up to three times as large, where the
        picture allows it, and downscaled, which gives finer detail than photographs
        have. Pairs are not changed.
      extremes: fraction of crops whose contrast is stretched until most of it clips,
        which gives edges like those of print and screens. Pairs are not changed.
      workers: processes that prepare batches; 0 uses threads of this process.
      threads: threads per process that prepare batches.
      buffered: batches prefetched per process.
      host_index: index of this host.
      host_count: number of hosts.
    """
    check(source, batch_size, patch_size, crops_per_picture, augment, seed)
    check_shares(shrink, extremes)
    if workers < 0:
        raise UserError(f"workers must be at least 0, not {workers}")
    if batch_size % host_count:
        raise UserError(
            f"a batch of {batch_size} cannot be shared by {host_count} hosts: use a "
            "multiple"
        )
    dataset = grain.MapDataset.source(_LazyRecords(source)).repeat()
    order = Order(len(source), crops_per_picture, seed, source.window)
    dataset = _Ordered(dataset, order)
    crop = _Crop(patch_size, augment, shrink, extremes)
    dataset = dataset.seed(seed).random_map(crop)
    dataset = dataset.batch(batch_size // host_count, drop_remainder=True)
    # A global batch is `host_count` consecutive local batches, one per host.
    first = start_step * host_count + host_index
    dataset = dataset[first::host_count].to_iter_dataset(
        grain.ReadOptions(num_threads=threads, prefetch_buffer_size=buffered)
    )
    if workers:
        # Grain reads absl flags, which only programs run by absl have parsed.
        if not flags.FLAGS.is_parsed():
            flags.FLAGS.mark_as_parsed()
        dataset = dataset.mp_prefetch(
            grain.MultiprocessingOptions(
                num_workers=workers, per_worker_buffer_size=buffered
            )
        )
    return _Batches(iter(dataset))


def steps_per_epoch(source: Source, batch_size: int, crops_per_picture: int = 1) -> int:
    """The number of batches per epoch."""
    return -(-len(source) * crops_per_picture // batch_size)


def whole_pictures(
    source: Source, limit: int | None = None
) -> Iterator[dict[str, Any]]:
    """Yields the records of the first `limit` pictures, without duplicates."""
    seen = set()
    for index in range(len(source)):
        if limit is not None and len(seen) >= limit:
            return
        record = source[index]
        # A damaged file's index gives the next picture, which also has its own index.
        if record["key"] not in seen:
            seen.add(record["key"])
            yield record


class _Batches(Iterator[Batch]):
    """Grain's iterator, closed when it is collected or when the program ends.

    Closed during interpreter shutdown, its threads and shared memory print warnings.
    """

    def __init__(self, batches: grain.DatasetIterator):
        self._held = [batches]
        self.close = weakref.finalize(self, _close, self._held)

    def __next__(self) -> Batch:
        if not self._held:
            raise StopIteration
        # A copy, since arrays from worker processes are in shared memory.
        return {name: np.array(rows) for name, rows in next(self._held[0]).items()}


def _close(iterators: list[grain.DatasetIterator]):
    while iterators:
        iterators.pop().close()


class _LazyRecords:
    """The source through `lazy_record`, if it has that method."""

    def __init__(self, source: Source):
        self._source = source

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return getattr(self._source, "lazy_record", self._source.__getitem__)(index)


class _Ordered(grain.MapDataset):
    """The pictures in shuffled order, without end."""

    def __init__(self, parent: grain.MapDataset, order: Order):
        super().__init__(parent)
        self._order = order

    def __len__(self) -> int:
        return len(self._parent)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return self.slice(index)
        return self._parent[self._order(index)]


class _Crop(grain.transforms.RandomMap):
    """Random square crop with augmentation, the same for both pictures of a pair."""

    def __init__(self, patch_size: int, augment: str, shrink: float, extremes: float):
        self._patch_size = patch_size
        self._augment = augment
        self._shrink = shrink
        self._extremes = extremes

    def random_map(self, element: dict[str, Any], rng: np.random.Generator) -> Batch:
        height, width = element["sharp"].shape[:2]
        if min(height, width) < self._patch_size:
            raise patch_too_large(self._patch_size, element["key"], height, width)
        names = [name for name in PIXELS if name in element]
        alone = len(names) == 1
        size = self._patch_size
        if alone and self._shrink and rng.random() < self._shrink:
            most = min(MAX_SHRINK, min(height, width) / size)
            size = int(size * most ** rng.random())
        top = rng.integers(height - size + 1)
        left = rng.integers(width - size + 1)
        across, down, swap = rng.integers(2, size=3)
        crops = {}
        for name in names:
            crop = element[name][top : top + size, left : left + size]
            if size != self._patch_size:
                crop = _downscale(crop, self._patch_size)
            if across and self._augment != "none":
                crop = crop[:, ::-1]
            if down and self._augment == "dihedral":
                crop = crop[::-1]
            if swap and self._augment == "dihedral":
                crop = crop.swapaxes(0, 1)
            crops[name] = crop
        if rng.random() < self._extremes and alone:
            crops["sharp"] = _stretch_contrast(crops["sharp"], rng)
        return crops


def _downscale(crop: np.ndarray, size: int) -> np.ndarray:
    picture = Image.fromarray(crop).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(picture)


def _stretch_contrast(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Stretches the contrast around a random pixel until most of the crop clips."""
    middle = crop[tuple(rng.integers(crop.shape[:2]))].astype(np.float32)
    factor = np.float32(np.exp(rng.uniform(np.log(2), np.log(32))))
    return np.clip((crop - middle) * factor + 127.5, 0, 255).astype(np.uint8)


def check(
    source: Source,
    batch_size: int,
    patch_size: int,
    crops_per_picture: int,
    augment: str,
    seed: int,
) -> None:
    """Raises an error for invalid arguments of `batches`, before anything is read."""
    if not 0 <= seed < 2**32:
        raise UserError(f"the seed must be from 0 to 2**32 - 1, not {seed}")
    for name, value in (
        ("batch_size", batch_size),
        ("patch_size", patch_size),
        ("crops_per_picture", crops_per_picture),
    ):
        if value < 1:
            raise UserError(f"{name} must be at least 1, not {value}")
    if augment not in AUGMENTATIONS:
        raise choices.unknown("augmentation", augment, AUGMENTATIONS)
    if source.smallest is not None:
        key, height, width = source.smallest
        if min(height, width) < patch_size:
            raise patch_too_large(patch_size, key, height, width)


def check_shares(shrink: float, extremes: float) -> None:
    """Raises an error unless both fractions are from 0 to 1."""
    for name, share in (("shrink", shrink), ("extremes", extremes)):
        if not 0 <= share <= 1:
            raise UserError(f"{name} must be from 0 to 1, not {share}")


def patch_too_large(patch_size: int, key: str, height: int, width: int) -> UserError:
    """Creates the error for a picture that is smaller than a patch."""
    return UserError(
        f"a patch of {patch_size} pixels does not fit the picture {key}, which is "
        f"{width}x{height}: use a smaller patch or leave that picture out"
    )
