"""Where batches come from: a pipeline on the host, or the devices' own memory.

A feed turns the pure step into one that takes what the feed hands out: batches of
pixels from the host, or, where the pictures lie on the devices, which pictures to cut.
"""

import logging
import os
from collections.abc import Iterator
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
from kdsharp.training import hosts
from kdsharp.training.step import SIGNAL, Task, train_step

logger = logging.getLogger(__name__)

PLACEMENTS = ("host", "device", "auto")

# Of a device's free memory, what pictures may take: steps need the rest.
_SHARE = 0.5
# What a step's key is folded with for its crops.
_CROPS = 1 << 17
_GIB = 1 << 30


class Feed(Protocol):
    """What a run trains on, batch by batch."""

    placement: str

    def load(self) -> dict[str, Any]:
        """Loads what every device has to hold."""

    def step(self, task: Task):
        """The step that takes this feed's batches; call `load` first."""

    def batches(self, start_step: int) -> Iterator[dict[str, np.ndarray]]:
        """Yields this host's rows of every batch, endlessly."""


class HostFeed:
    """Crops that processes and threads of this host prepare."""

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
    """Crops that each device cuts out of pictures in its own memory."""

    placement = "device"

    def __init__(self, config: ConfigDict, source: Source):
        self._config = config
        self._source = source

    def load(self) -> dict[str, Any]:
        data = self._config.data
        size = patch_size(self._config)
        held = atlas.load(self._source, size, crops.margin(size, data.shrink))
        self._cut = crops.create(
            held,
            patch_size=size,
            augment=data.augment,
            shrink=data.shrink,
            extremes=data.extremes,
        )
        return {"pictures": held}

    def step(self, task: Task):
        return partial(_cut_and_train, self._cut, task)

    def batches(self, start_step: int) -> Iterator[dict[str, np.ndarray]]:
        config = self._config
        # The host's own order, so that every picture has its turn in every epoch.
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
    """Creates the feed that a config asks for, if there is the memory for it."""
    placement = config.data.placement
    if placement not in PLACEMENTS:
        raise choices.unknown("config.data.placement", placement, PLACEMENTS)
    pipeline.check_shares(config.data.shrink, config.data.extremes)
    if placement == "host" or (placement == "auto" and devices.platform == "cpu"):
        return HostFeed(config, source)
    needed, free = atlas.estimate(source), room(devices.local)
    fits = hosts.all_true(needed <= free)
    if fits:
        return DeviceFeed(config, source)
    if placement == "auto":
        logger.info(
            "pictures stay on the host: %.1f GiB, for which a device has %.1f",
            needed / _GIB,
            free / _GIB,
        )
        return HostFeed(config, source)
    fitting = int(len(source) * free / needed)
    raise UserError(
        f"the {len(source):,} pictures take {needed / _GIB:.2f} GiB of a device's "
        f"memory, which has {free / _GIB:.2f} for them (half of what is free): "
        f"{fitting:,} would fit; take so many by '?first={max(1, fitting)}' after the "
        "source, or keep all on the host by --config.data.placement=host"
    )


def patch_size(config: ConfigDict) -> int:
    """The size of a crop, including what the shift of the blur's grid cuts off."""
    return config.data.patch_size + config.data.grid_shift


def room(devices: list[jax.Device]) -> int:
    """The bytes that pictures may take on each device."""
    free = []
    for device in devices:
        stats = device.memory_stats() or {}
        if "bytes_limit" in stats:
            free.append(stats["bytes_limit"] - stats.get("bytes_in_use", 0))
    if not free:  # A CPU: devices that share the host's memory.
        free = [_free_on_the_host() // len(devices)]
    return int(_SHARE * min(free))


def _free_on_the_host() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:  # Not Linux.
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    sizes = dict(line.split(":") for line in lines)
    return int(sizes["MemAvailable"].split()[0]) << 10


def _cut_and_train(cut: crops.Cropper, task: Task, state, frozen, batch, **options):
    """Takes a step on crops of the pictures that the batch names."""
    key = jax.random.fold_in(jax.random.key(task.seed), state.step)
    key = jax.random.fold_in(key, _CROPS)
    keys = jax.vmap(lambda row: jax.random.fold_in(key, row))(batch["row"])
    rows = cut(frozen["pictures"], batch["picture"], keys)
    if SIGNAL in batch:
        rows[SIGNAL] = batch[SIGNAL]
    return train_step(task, state, frozen, rows, **options)
