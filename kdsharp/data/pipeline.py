"""From a source to batches of random crops, on grain.

Batch number N depends on the seed and on N alone: not on the number of workers, nor
on whether the run was interrupted, nor on how many hosts share it.
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
"""What of a record is pictures: `blurred` only of a source of pairs."""
SHRUNK_AT_MOST = 3.0
"""How much larger a crop is cut, at most, to be reduced."""


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
    """Endless batches, uint8 `[batch, patch, patch, 3]` under `sharp` (and `blurred`).

    Every epoch takes so many crops of each picture, one at a time and in a fresh order,
    so that the crops of a batch are of many pictures.

    Args:
      source: where the pictures come from.
      batch_size: rows of the global batch, of which this host gets its share.
      patch_size: height and width of a crop.
      seed: of the order, the crops and the flips.
      start_step: number of the first batch.
      crops_per_picture: crops out of each picture in an epoch.
      augment: `none`, `flip` (left and right) or `dihedral` (all eight positions).
      shrink: the share of crops that are cut up to three times as large, where the
        picture allows it, and reduced, so that they have finer lines than photographs
        of that size hold; pairs stay as they are.
      extremes: the share of crops whose contrast is stretched until most of it clips,
        so that they have edges as print and screens do; pairs stay as they are.
      workers: processes that prepare batches; with none, threads of this one do.
      threads: threads that prepare batches, in each process.
      buffered: batches kept ready, in each process.
      host_index: which of the hosts this one is.
      host_count: hosts among which the rows of a batch are shared out.
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
    dataset = grain.MapDataset.source(_Glances(source)).repeat()
    order = Order(len(source), crops_per_picture, seed, source.window)
    dataset = _Visits(dataset, order)
    crop = _Crop(patch_size, augment, shrink, extremes)
    dataset = dataset.seed(seed).random_map(crop)
    dataset = dataset.batch(batch_size // host_count, drop_remainder=True)
    # The rows of one global batch lie in a row of local batches, one per host.
    first = start_step * host_count + host_index
    dataset = dataset[first::host_count].to_iter_dataset(
        grain.ReadOptions(num_threads=threads, prefetch_buffer_size=buffered)
    )
    if workers:
        # Grain asks absl for its flags, which only a program run by absl has parsed.
        if not flags.FLAGS.is_parsed():
            flags.FLAGS.mark_as_parsed()
        dataset = dataset.mp_prefetch(
            grain.MultiprocessingOptions(
                num_workers=workers, per_worker_buffer_size=buffered
            )
        )
    return _Batches(iter(dataset))


def steps_per_epoch(source: Source, batch_size: int, crops_per_picture: int = 1) -> int:
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


class _Batches(Iterator[Batch]):
    """Grain's iterator, ended in good order when let go of or when the program ends.

    Left to the interpreter's last moments, its threads and its shared memory complain.
    """

    def __init__(self, batches: grain.DatasetIterator):
        self._held = [batches]
        self.close = weakref.finalize(self, _end, self._held)

    def __next__(self) -> Batch:
        if not self._held:
            raise StopIteration
        # A copy, since what a worker process sends lies in memory that it shares.
        return {name: np.array(rows) for name, rows in next(self._held[0]).items()}


def _end(held: list[grain.DatasetIterator]):
    while held:
        held.pop().close()


class _Glances:
    """The source, whose pixels become arrays where they are cut, if it can do that."""

    def __init__(self, source: Source):
        self._source = source

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return getattr(self._source, "glance", self._source.__getitem__)(index)


class _Visits(grain.MapDataset):
    """An endless series of pictures, in the order of visits."""

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
    """A square out of a picture, the same out of each of a pair, perhaps mirrored."""

    def __init__(self, patch_size: int, augment: str, shrink: float, extremes: float):
        self._patch_size = patch_size
        self._augment = augment
        self._shrink = shrink
        self._extremes = extremes

    def random_map(self, element: dict[str, Any], rng: np.random.Generator) -> Batch:
        height, width = element["sharp"].shape[:2]
        if min(height, width) < self._patch_size:
            raise UserError(too_large(self._patch_size, element["key"], height, width))
        names = [name for name in PIXELS if name in element]
        alone = len(names) == 1
        size = self._patch_size
        if alone and self._shrink and rng.random() < self._shrink:
            most = min(SHRUNK_AT_MOST, min(height, width) / size)
            size = int(size * most ** rng.random())
        top = rng.integers(height - size + 1)
        left = rng.integers(width - size + 1)
        across, down, swap = rng.integers(2, size=3)
        crops = {}
        for name in names:
            crop = element[name][top : top + size, left : left + size]
            if size != self._patch_size:
                crop = _reduced(crop, self._patch_size)
            if across and self._augment != "none":
                crop = crop[:, ::-1]
            if down and self._augment == "dihedral":
                crop = crop[::-1]
            if swap and self._augment == "dihedral":
                crop = crop.swapaxes(0, 1)
            crops[name] = crop
        if rng.random() < self._extremes and alone:
            crops["sharp"] = _stretched(crops["sharp"], rng)
        return crops


def _reduced(crop: np.ndarray, size: int) -> np.ndarray:
    picture = Image.fromarray(crop).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(picture)


def _stretched(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns a crop of which little more than black and white is left."""
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
    """Says what of a pipeline's arguments cannot be, before anything is read."""
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
            raise UserError(too_large(patch_size, key, height, width))


def check_shares(shrink: float, extremes: float) -> None:
    """Says which share of the crops cannot be."""
    for name, share in (("shrink", shrink), ("extremes", extremes)):
        if not 0 <= share <= 1:
            raise UserError(f"{name} must be from 0 to 1, not {share}")


def too_large(patch_size: int, key: str, height: int, width: int) -> str:
    """Returns why a patch cannot be cut out of a picture."""
    return (
        f"A patch of {patch_size} pixels does not fit the picture {key}, which is "
        f"{width}x{height}: use a smaller patch or leave that picture out."
    )
