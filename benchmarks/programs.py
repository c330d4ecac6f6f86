"""Compiles JAX functions and measures their time, operations and memory."""

import concurrent.futures
import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from kdsharp.training import parallel

_COMPILER_THREADS = 8


@dataclasses.dataclass(frozen=True)
class Work:
    """A function to be timed, its arguments, and how often a training step runs it."""

    call: Callable
    arguments: tuple
    times: int = 1
    # Training steps per call, and whether the first argument is donated.
    steps: int = 1
    donated: bool = False
    # Whether the compiler must choose deterministic kernels.
    reproducible: bool = True

    def compile(self):
        jitted = jax.jit(
            self.call,
            donate_argnums=(0,) if self.donated else (),
            compiler_options=parallel.reproducible(jax.devices()[0].platform)
            if self.reproducible
            else None,
        )
        return jitted.lower(*self.arguments).compile()


@dataclasses.dataclass(frozen=True)
class Cost:
    """Time of a program per training step; operations and bytes as XLA counts them."""

    milliseconds: float
    gigaflop: float
    gigabytes: float
    megabytes_held: float


def measure(work: Work, program, min_seconds: float) -> Cost:
    """Times as many calls of the compiled `program` as take `min_seconds`."""
    arguments = list(work.arguments)
    if work.donated:
        arguments[0] = jax.tree.map(jnp.copy, arguments[0])

    def take(count: int) -> float:
        began = time.perf_counter()
        for _ in range(count):
            result = program(*arguments)
            if work.donated:
                arguments[0] = result[0]
        jax.block_until_ready(result)
        return time.perf_counter() - began

    take(1)
    count = max(1, int(min_seconds / max(take(1), 1e-6)))
    seconds = take(count) / count / work.steps
    counted = program.cost_analysis() or {}
    memory = program.memory_analysis()
    return Cost(
        1e3 * seconds,
        counted.get("flops", 0.0) / 1e9,
        counted.get("bytes accessed", 0.0) / 1e9,
        getattr(memory, "temp_size_in_bytes", 0) / 1e6,
    )


def compile_all(works: Mapping[Any, Work], deadline: float) -> dict:
    """Compiles in parallel; returns the programs that were ready by the deadline.

    `deadline` is a time of `time.monotonic`.
    """
    pool = concurrent.futures.ThreadPoolExecutor(_COMPILER_THREADS)
    waiting = {name: pool.submit(work.compile) for name, work in works.items()}
    timeout = None if deadline == math.inf else max(0, deadline - time.monotonic())
    concurrent.futures.wait(waiting.values(), timeout=timeout)
    pool.shutdown(wait=False, cancel_futures=True)
    return {
        name: future.result()
        for name, future in waiting.items()
        if future.done() and not future.cancelled()
    }
