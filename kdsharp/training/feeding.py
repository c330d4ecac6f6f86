"""Feeds: batches from a pipeline on the host, or from pictures in device memory.

A feed yields batches and adapts the training step to them: batches are pixels from the
host, or indices of pictures that the devices crop.
"""

import logging
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import jax
import numpy as np
from ml_collections import ConfigDict

from kdsharp.base import choices
from kdsharp.data import atlas, crops, pipeline
from kdsharp.data.order import Order
from kdsharp.data.sources import Source
from kdsharp.errors import UserError
from kdsharp.training import hosts, parallel
from kdsharp.training.step import SIGNAL, Task, train_step

logger = logging.getLogger(__name__)

PLACEMENTS = ("host", "device", "auto")

# The fraction of free device memory that pictures may take; steps need the rest.
_MEMORY_FRACTION = 0.5
# Folded into a step's random key for its crops.
_CROP_KEY = 1 << 17
_GIB = 1 << 30


class Feed(Protocol):
    """The input of a run."""

    placement: str

    def load(self) -> dict[str, Any]:
        """Loads data to be replicated to every device."""
        ...

    def step(self, task: Task) -> Callable:
        """The training step for this feed's batches; call `load` first."""
        ...

    def batches(self, start_step: int) -> Iterator[dict[str, np.ndarray]]:
        """Yields this host's rows of every batch, without end."""
        ...


class HostFeed:
    """Crops from the pipeline on this host."""

    placement = "host"

    def __init__(self, config: ConfigDict, source: Source):
        self._config = config
        self._source = source

    def load(self) -> dict[str, Any]:
        return {}

    def step(self, task: Task):
        return partial(train_step, task)

    def batches(self, start_step: int) -> Iterator[dict[str, np.ndarray]]:
        data = self._config.data
        return pipeline.batches(
            self._source,
            batch_size=self._config.batch_size,
            patch_size=patch_size(self._config),
            crops_per_picture=data.crops_per_picture,
            augment=data.augment,
            shrink=data.shrink,
            extremes=data.extremes,
            workers=data.workers,
            seed=self._config.seed,
            start_step=start_step,
            host_index=hosts.index(),
            host_count=hosts.count(),
        )


class DeviceFeed:
    """Crops that each device cuts from an atlas in its own memory."""

    placement = "device"

    def __init__(self, config: ConfigDict, source: Source):
        self._config = config
        self._source = source

    def load(self) -> dict[str, Any]:
        data = self._config.data
        size = patch_size(self._config)
        pictures = atlas.load(self._source, size, crops.margin(size, data.shrink))
        self._cut = crops.create(
            pictures,
            patch_size=size,
            augment=data.augment,
            shrink=data.shrink,
            extremes=data.extremes,
            channels=self._source[0]["sharp"].shape[2],
        )
        return {"pictures": pictures}

    def step(self, task: Task):
        return partial(_crop_and_train, self._cut, task)

    def batches(self, start_step: int) -> Iterator[dict[str, np.ndarray]]:
        config = self._config
        # The same order as the pipeline's, so that an epoch visits every picture.
        order = Order(len(self._source), config.data.crops_per_picture, config.seed)
        share = config.batch_size // hosts.count()
        rows = np.arange(hosts.index() * share, (hosts.index() + 1) * share)
        while True:
            visits = start_step * config.batch_size + rows
            yield {
                "picture": np.array([order(int(v)) for v in visits], np.int32),
                "row": rows.astype(np.int32),
            }
            start_step += 1


def create(config: ConfigDict, source: Source, devices) -> Feed:
    """Creates the feed that a config asks for; raises an error if it does not fit."""
    placement = config.data.placement
    if placement not in PLACEMENTS:
        raise choices.unknown("config.data.placement", placement, PLACEMENTS)
    pipeline.check_shares(config.data.shrink, config.data.extremes)
    if placement == "host" or (placement == "auto" and devices.platform == "cpu"):
        return HostFeed(config, source)
    needed, free = atlas.estimate(source), available_memory(devices.local)
    fits = hosts.all_true(needed <= free)
    if fits:
        return DeviceFeed(config, source)
    if placement == "auto":
        logger.info(
            "pictures stay on the host: they take %.1f GiB, a device has %.1f free",
            needed / _GIB,
            free / _GIB,
        )
        return HostFeed(config, source)
    fitting = int(len(source) * free / needed)
    raise UserError(
        f"the {len(source):,} pictures take {needed / _GIB:.2f} GiB of a device's "
        f"memory, of which {free / _GIB:.2f} may be used (half of what is free): "
        f"{fitting:,} would fit; append '?first={max(1, fitting)}' to the source, or "
        "keep all on the host with --config.data.placement=host"
    )


def patch_size(config: ConfigDict) -> int:
    """The size of crops, including the margin for the random shift of the blur grid."""
    return config.data.patch_size + config.data.grid_shift


def available_memory(devices: list[parallel.Device]) -> int:
    """Bytes that pictures may take on each device."""
    free = []
    for device in devices:
        stats = device.memory_stats() or {}
        if "bytes_limit" in stats:
            free.append(stats["bytes_limit"] - stats.get("bytes_in_use", 0))
    if not free:  # CPU devices share the host's memory.
        free = [_free_host_memory() // len(devices)]
    return int(_MEMORY_FRACTION * min(free))


def _free_host_memory() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:  # Not Linux.
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    sizes = dict(line.split(":") for line in lines)
    return int(sizes["MemAvailable"].split()[0]) << 10


def _crop_and_train(cut: crops.Cropper, task: Task, state, frozen, batch, **options):
    """Runs a step on crops of the pictures whose indices are in the batch."""
    key = jax.random.fold_in(jax.random.key(task.seed), state.step)
    key = jax.random.fold_in(key, _CROP_KEY)
    keys = jax.vmap(lambda row: jax.random.fold_in(key, row))(batch["row"])
    rows = cut(frozen["pictures"], batch["picture"], keys)
    if SIGNAL in batch:
        rows[SIGNAL] = batch[SIGNAL]
    return train_step(task, state, frozen, rows, **options)
