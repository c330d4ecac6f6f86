"""Scaling of a training step over 1, 2, 4 and 8 devices simulated on this CPU.

    python -m benchmarks.scaling

The global batch is the same for all, so that a step has the same work. `compute` is the
time of one device's share of the batch alone, times the devices per core; the rest is
communication (gradients, batch statistics) and waiting. The last line is the time per
step of eight in one program (`lax.scan`) on one device: the difference from one device
above is the cost of dispatching each step.
"""

import argparse
import sys

import jax
import numpy as np

from benchmarks import command, step_flags
from benchmarks.jax_step import (
    NETWORKS,
    jax_step,
    random_batch,
    scanned_steps,
)
from kdsharp.base import cores
from kdsharp.evaluation import text
from kdsharp.evaluation.bench.turns import alternate, timed

_COUNTS = (1, 2, 4, 8)
_SCANNED = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    step_flags.add(parser, batch=8, patch=32)
    parser.add_argument(
        "--network", choices=list(NETWORKS), default="student", help="which to time"
    )


def measure(arguments: argparse.Namespace) -> dict:
    """Measures milliseconds per step for each number of devices."""
    jax.config.update("jax_num_cpu_devices", max(_COUNTS))
    network, side = NETWORKS[arguments.network], arguments.patch
    ways = {}
    for count in _COUNTS:
        batch = random_batch(arguments.batch, side, side, 3)
        ways[count] = jax_step(network, batch, device_count=count)
        share = batch[: arguments.batch // count]
        ways[f"share of {count}"] = jax_step(network, share, device_count=1)
    ways["scan"] = scanned_steps(network, batch, _SCANNED)
    measured = alternate(
        {way: timed(take) for way, take in ways.items()}, arguments.rounds
    )
    times_ms = {way: 1e3 * float(np.median(times)) for way, times in measured.items()}
    core_count = cores.count()
    rows = []
    for count in _COUNTS:
        compute = times_ms[f"share of {count}"] * max(1, count / core_count)
        speed = times_ms[1] / times_ms[count]
        rows.append(
            {
                "devices": count,
                "milliseconds": times_ms[count],
                "speed": speed,
                "efficiency": speed / min(count, core_count),
                "compute_ms": compute,
                "rest_ms": times_ms[count] - compute,
            }
        )
    return {
        "step": f"{arguments.network}, {arguments.batch} x {side} x {side}",
        "cores": core_count,
        "rows": rows,
        "scanned_ms": times_ms["scan"] / _SCANNED,
    }


def report(results: dict) -> str:
    """Formats a table with a row for each number of devices."""
    lines = [["devices", "ms a step", "speed", "efficiency", "compute, ms", "rest, ms"]]
    for row in results["rows"]:
        lines.append(
            [
                str(row["devices"]),
                f"{row['milliseconds']:.0f}",
                f"{row['speed']:.2f}",
                f"{row['efficiency']:.0%}",
                f"{row['compute_ms']:.0f}",
                f"{row['rest_ms']:.0f}",
            ]
        )
    return (
        f"{results['step']}, {results['cores']} cores\n"
        f"{text.table(lines, words=0)}\n"
        f"a step of {_SCANNED} in one program: {results['scanned_ms']:.0f} ms"
    )


if __name__ == "__main__":
    sys.exit(command.run(__name__))
