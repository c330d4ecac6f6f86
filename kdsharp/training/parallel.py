"""The devices of a run: the same pure step under `jit` or under `pmap`.

Both give the same numbers: a global batch, gradients and batch statistics over all of
it. `jit` shards the batch over a mesh with one axis, `data`; `pmap` is the older way.
The mesh spans the devices of all hosts; a host brings its rows of the batch.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from kdsharp.base import choices, cores
from kdsharp.errors import UserError
from kdsharp.training import hosts

_AXIS = "data"
Step = Callable[..., tuple[Any, Any]]


class _Devices:
    """A mesh of one axis."""

    def __init__(self, devices: list[jax.Device]):
        mesh = Mesh(np.asarray(devices), (_AXIS,))
        self._devices = devices
        self._whole = NamedSharding(mesh, PartitionSpec())
        self._split = NamedSharding(mesh, PartitionSpec(_AXIS))
        self._split_second = NamedSharding(mesh, PartitionSpec(None, _AXIS))

    @property
    def platform(self) -> str:
        """The kind of devices: `cpu`, `gpu` or `tpu`."""
        return self._devices[0].platform

    @property
    def local(self) -> list[jax.Device]:
        """The devices of this host."""
        return [d for d in self._devices if d.process_index == hosts.index()]

    def to_save(self, tree):
        """Turns a tree of host 0 into arrays that all hosts write a part of."""
        if hosts.count() == 1:
            return tree
        return jax.tree.map(partial(_put, sharding=self._whole), tree)


class JitParallel(_Devices):
    """One program over all devices; the compiler inserts the communication."""

    axis_name = None

    def replicate(self, tree):
        """Copies the tree to every device."""
        if hosts.count() == 1:
            return jax.device_put(tree, self._whole)
        return self.to_save(tree)

    def shard(self, batch, *, several: bool = False):
        """Splits the batch over the devices; each host gives its own rows.

        Of `several` batches, stacked, rows are the second axis.
        """
        split = self._split_second if several else self._split
        if hosts.count() == 1:
            return jax.device_put(batch, split)
        return jax.tree.map(
            lambda x: jax.make_array_from_process_local_data(split, x), batch
        )

    def compile(self, step: Step) -> Step:
        """Compiles `step(state, frozen, batch, ...)`; the state is donated."""
        return jax.jit(
            step,
            donate_argnums=0,
            out_shardings=(self._whole, self._whole),
            compiler_options=reproducible(self.platform),
        )

    def to_host(self, tree):
        """Copies a replicated tree to the host, as NumPy arrays of their own."""
        return jax.tree.map(lambda x: np.array(x, copy=True), tree)


class PmapParallel(_Devices):
    """One program a device, each with its part of the batch."""

    axis_name = _AXIS

    def replicate(self, tree):
        n = len(self._devices)

        def copies(x):
            x = np.asarray(x)
            return _put(np.broadcast_to(x, (n, *x.shape)), self._split)

        return jax.tree.map(copies, tree)

    def shard(self, batch, *, several: bool = False):
        n = len(self._devices) // hosts.count()

        def parts(x):
            if several:
                return x.reshape(len(x), n, -1, *x.shape[2:]).swapaxes(0, 1)
            return x.reshape(n, -1, *x.shape[1:])

        return jax.tree.map(
            lambda x: jax.make_array_from_process_local_data(self._split, parts(x)),
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
        return jax.tree.map(
            lambda x: np.array(x.addressable_data(0)[0], copy=True), tree
        )


def _put(x, sharding: NamedSharding) -> jax.Array:
    """Makes an array over all devices of what every host holds in full."""
    x = np.asarray(x)
    return jax.make_array_from_callback(x.shape, sharding, lambda index: x[index])


_WAYS = {"jit": JitParallel, "pmap": PmapParallel}


def reproducible(platform: str) -> dict[str, bool] | None:
    """Compiler options that make programs deterministic to the bit.

    On a GPU the fastest convolutions add up in any order.
    """
    return {"xla_gpu_exclude_nondeterministic_ops": True} if platform == "gpu" else None


def show_cores(batch_size: int, device_count: int = 0) -> None:
    """Makes JAX show a CPU's cores as devices; call before anything computes.

    On a CPU, XLA gives the convolution of a batch of small pictures one core, however
    many there are; a device a core, each with its part of the batch, uses them all.
    As many are shown as divide the host's rows of the batch, or `device_count`. Where
    there is an accelerator, or XLA_FLAGS already says how many, nothing changes.
    """
    if "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", ""):
        return
    counts = range(cores.count(), 0, -1)
    rows = batch_size // hosts.count()
    dividing = next(n for n in counts if rows % n == 0)
    jax.config.update("jax_num_cpu_devices", device_count or dividing)


def create(way: str, batch_size: int, device_count: int = 0):
    """The devices of a run: all, or that many of every host."""
    if way not in _WAYS:
        raise choices.unknown("parallel", way, _WAYS)
    there = len(jax.local_devices())
    if device_count > there:
        raise UserError(f"{device_count} devices asked for, but there are {there}")
    devices = _of_each_host(device_count or there)
    if batch_size % len(devices):
        raise UserError(
            f"batch_size {batch_size} does not divide by {len(devices)} devices"
        )
    return _WAYS[way](devices)


def _of_each_host(count: int) -> list[jax.Device]:
    """The first devices of every host, host by host: the order of the batch."""
    held: dict[int, list[jax.Device]] = {}
    for device in jax.devices():
        held.setdefault(device.process_index, []).append(device)
    fewest = min(map(len, held.values()))
    if fewest != max(map(len, held.values())) and count > fewest:
        raise UserError(
            f"a host has {fewest} devices, another more: give --config.devices={fewest}"
        )
    return [device for host in sorted(held) for device in held[host][:count]]
