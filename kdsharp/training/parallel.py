"""Data parallelism over the devices of a run, with `jit` or `pmap`.

Both give the same results: gradients and batch statistics span the global batch. `jit`
shards the batch over a mesh with one axis, `data`; `pmap` is the older API. The mesh
spans the devices of all hosts; each host provides its rows of the batch.
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


# `jax.Device`, which has no type that a checker could see.
Device = Any


class _Devices:
    """A one-dimensional mesh of devices."""

    def __init__(self, devices: list[Device]):
        mesh = Mesh(np.asarray(devices), (_AXIS,))
        self._devices = devices
        self._whole = NamedSharding(mesh, PartitionSpec())
        self._split = NamedSharding(mesh, PartitionSpec(_AXIS))
        self._split_second = NamedSharding(mesh, PartitionSpec(None, _AXIS))

    @property
    def platform(self) -> str:
        """`cpu`, `gpu` or `tpu`."""
        return self._devices[0].platform

    @property
    def local(self) -> list[Device]:
        """The devices of this host."""
        return [d for d in self._devices if d.process_index == hosts.index()]

    def to_save(self, tree):
        """Converts a tree that every host holds to arrays that all hosts write."""
        if hosts.count() == 1:
            return tree
        return jax.tree.map(partial(_put, sharding=self._whole), tree)


class JitParallel(_Devices):
    """One program for all devices; the compiler inserts the communication."""

    axis_name = None

    def replicate(self, tree):
        """Copies the tree to every device."""
        if hosts.count() == 1:
            return jax.device_put(tree, self._whole)
        return self.to_save(tree)

    def shard(self, batch, *, stacked: bool = False):
        """Splits the batch over the devices; each host provides its own rows.

        With `stacked`, the first axis is a stack of batches.
        """
        split = self._split_second if stacked else self._split
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
        """Copies a replicated tree to NumPy arrays on the host."""
        return jax.tree.map(lambda x: np.array(x, copy=True), tree)


class PmapParallel(_Devices):
    """One program per device, each with its part of the batch."""

    axis_name = _AXIS

    def replicate(self, tree):
        n = len(self._devices)

        def copies(x):
            x = np.asarray(x)
            return _put(np.broadcast_to(x, (n, *x.shape)), self._split)

        return jax.tree.map(copies, tree)

    def shard(self, batch, *, stacked: bool = False):
        n = len(self._devices) // hosts.count()

        def parts(x):
            if stacked:
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
    """Creates a global array from data that every host holds in full."""
    x = np.asarray(x)
    return jax.make_array_from_callback(x.shape, sharding, lambda index: x[index])


_STRATEGIES = {"jit": JitParallel, "pmap": PmapParallel}


def reproducible(platform: str) -> dict[str, bool] | None:
    """Compiler options for bitwise reproducible programs.

    On a GPU, the fastest convolutions sum in an undefined order.
    """
    return {"xla_gpu_exclude_nondeterministic_ops": True} if platform == "gpu" else None


def expose_cpu_cores(batch_size: int, device_count: int = 0) -> None:
    """Makes JAX expose CPU cores as devices; call it before any computation.

    XLA's convolutions of small pictures use a single core; with one device per core,
    each with its part of the batch, all cores are used. The number of devices is the
    largest that divides the host's rows of the batch, or `device_count`. It has no
    effect on accelerators, or if XLA_FLAGS sets the number already.
    """
    if "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", ""):
        return
    counts = range(cores.count(), 0, -1)
    rows = batch_size // hosts.count()
    dividing = next(n for n in counts if rows % n == 0)
    jax.config.update("jax_num_cpu_devices", device_count or dividing)


def create(strategy: str, batch_size: int, device_count: int = 0):
    """Creates the parallelism of a run on all or `device_count` devices per host."""
    if strategy not in _STRATEGIES:
        raise choices.unknown("parallel", strategy, _STRATEGIES)
    there = len(jax.local_devices())
    if device_count > there:
        raise UserError(f"{device_count} devices requested, but there are {there}")
    devices = _first_devices(device_count or there)
    if batch_size % len(devices):
        raise UserError(
            f"batch_size {batch_size} does not divide by {len(devices)} devices"
        )
    return _STRATEGIES[strategy](devices)


def _first_devices(count: int) -> list[Device]:
    """The first devices of every host, in the order of the rows of the batch."""
    by_host: dict[int, list[Device]] = {}
    for device in jax.devices():
        by_host.setdefault(device.process_index, []).append(device)
    fewest = min(map(len, by_host.values()))
    if fewest != max(map(len, by_host.values())) and count > fewest:
        raise UserError(
            f"one host has {fewest} devices, another has more: use "
            f"--config.devices={fewest}"
        )
    return [device for host in sorted(by_host) for device in by_host[host][:count]]
