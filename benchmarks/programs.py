"""Compiled programs, timed: work is a call and what it is given."""

import concurrent.futures
import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from kdsharp.training import parallel

_COMPILING = 8


@dataclasses.dataclass(frozen=True)
class Work:
    """A call to be timed, what it is given, and how often a step has it."""

    call: Callable
    arguments: tuple
    times: int = 1
    # Steps in a call, and whether its first argument is given up to its result.
    steps: int = 1
    given_up: bool = False
    # Whether the compiler has to choose what gives the same bits each time.
    reproducible: bool = True

    def compile(self):
        """Returns the program."""
        jitted = jax.jit(
            self.call,
            donate_argnums=(0,) if self.given_up else (),
            compiler_options=parallel.reproducible(jax.devices()[0].platform)
            if self.reproducible
            else None,
        )
        return jitted.lower(*self.arguments).compile()


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a program takes; operations and bytes by XLA's count."""

    milliseconds: float
    gigaflop: float
    gigabytes: float
    megabytes_held: float


def measure(work: Work, program, least: float) -> Cost:
    """Returns what the work costs, by as many calls as take `least` seconds."""
    arguments = list(work.arguments)
    if work.given_up:
        arguments[0] = jax.tree.map(jnp.copy, arguments[0])

    def take(count: int) -> float:
        began = time.perf_counter()
        for _ in range(count):
            result = program(*arguments)
            if work.given_up:
                arguments[0] = result[0]
        jax.block_until_ready(result)
        return time.perf_counter() - began

    take(1)
    count = max(1, int(least / max(take(1), 1e-6)))
    seconds = take(count) / count / work.steps
    counted = program.cost_analysis() or {}
    held = program.memory_analysis()
    return Cost(
        1e3 * seconds,
        counted.get("flops", 0.0) / 1e9,
        counted.get("bytes accessed", 0.0) / 1e9,
        getattr(held, "temp_size_in_bytes", 0) / 1e6,
    )


def compile_all(works: Mapping[Any, Work], until: float) -> dict:
    """Returns the programs that are there in time, compiled side by side."""
    pool = concurrent.futures.ThreadPoolExecutor(_COMPILING)
    waiting = {name: pool.submit(work.compile) for name, work in works.items()}
    left = None if until == math.inf else max(0, until - time.monotonic())
    concurrent.futures.wait(waiting.values(), timeout=left)
    pool.shutdown(wait=False, cancel_futures=True)
    return {
        name: future.result()
        for name, future in waiting.items()
        if future.done() and not future.cancelled()
    }
