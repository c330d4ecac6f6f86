"""The devices of a run: the same pure step under `jit` or under `pmap`.

Both give the same numbers: a global batch, gradients and batch statistics over all of
it. `jit` shards the batch over a mesh with one axis, `data`; `pmap` is the older way.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from kdsharp.errors import UserError

_AXIS = "data"
Step = Callable[..., tuple[Any, Any]]


class JitParallel:
    """One program over all devices; the compiler inserts the communication."""

    axis_name = None

    def __init__(self, devices: list[jax.Device]):
        mesh = Mesh(np.asarray(devices), (_AXIS,))
        self._whole = NamedSharding(mesh, PartitionSpec())
        self._split = NamedSharding(mesh, PartitionSpec(_AXIS))

    def replicate(self, tree):
        """Returns the tree on every device."""
        return jax.device_put(tree, self._whole)

    def shard(self, batch):
        """Returns the batch, a part of it on each device."""
        return jax.device_put(batch, self._split)

    def compile(self, step: Step) -> Step:
        """Returns `step(state, teacher, batch)` compiled; the state is given up."""
        return jax.jit(step, donate_argnums=0, out_shardings=(self._whole, self._whole))

    def to_host(self, tree):
        """Returns one copy of a replicated tree as NumPy arrays of their own."""
        return jax.tree.map(lambda x: np.array(x, copy=True), tree)


class PmapParallel:
    """One program a device, each with its part of the batch."""

    axis_name = _AXIS

    def __init__(self, devices: list[jax.Device]):
        self._devices = devices
        mesh = Mesh(np.asarray(devices), (_AXIS,))
        self._split = NamedSharding(mesh, PartitionSpec(_AXIS))

    def replicate(self, tree):
        n = len(self._devices)
        return jax.tree.map(
            lambda x: jax.device_put(np.stack([np.asarray(x)] * n), self._split), tree
        )

    def shard(self, batch):
        n = len(self._devices)
        return jax.tree.map(
            lambda x: jax.device_put(x.reshape(n, -1, *x.shape[1:]), self._split),
            batch,
        )

    def compile(self, step: Step) -> Step:
        return jax.pmap(
            partial(step, axis_name=_AXIS),
            axis_name=_AXIS,
            devices=self._devices,
            donate_argnums=0,
        )

    def to_host(self, tree):
        return jax.tree.map(lambda x: np.array(x[0], copy=True), tree)


_WAYS = {"jit": JitParallel, "pmap": PmapParallel}


def show_cores(batch_size: int, device_count: int = 0) -> None:
    """Makes JAX show a CPU's cores as devices; call before anything computes.

    On a CPU, XLA gives the convolution of a batch of small pictures one core, however
    many there are; a device a core, each with its part of the batch, uses them all.
    As many are shown as divide the batch, or `device_count`. Where there is an
    accelerator, or XLA_FLAGS already says how many, nothing changes.
    """
    if "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", ""):
        return
    cores = range(len(os.sched_getaffinity(0)), 0, -1)
    dividing = next(n for n in cores if batch_size % n == 0)
    jax.config.update("jax_num_cpu_devices", device_count or dividing)


def create(way: str, batch_size: int, device_count: int = 0):
    """Returns the devices of a run: all that there are, or the first `device_count`."""
    if way not in _WAYS:
        raise UserError(f"unknown parallel {way!r}; there are: {', '.join(_WAYS)}")
    devices = jax.devices()
    if device_count > len(devices):
        raise UserError(
            f"{device_count} devices asked for, but there are {len(devices)}"
        )
    devices = devices[: device_count or None]
    if batch_size % len(devices):
        raise UserError(
            f"batch_size {batch_size} does not divide by {len(devices)} devices"
        )
    return _WAYS[way](devices)
