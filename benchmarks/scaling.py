"""One step over 1, 2, 4 and 8 devices that this machine's cores pretend to be.

    python -m benchmarks.scaling

The batch is the same for all, so that a step has the same work. Where a step's time
goes: `compute` is what a device's share of the batch takes alone, times the devices
that a core has to serve; the rest is what devices say to one another (gradients, batch
statistics) and wait for one another. The last line is a step of eight that are one
program (`lax.scan`), on one device: what starting each by itself costs.
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
    """Returns the milliseconds of a step, by number of devices."""
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
    took = {way: 1e3 * float(np.median(times)) for way, times in measured.items()}
    core_count = cores.count()
    rows = []
    for count in _COUNTS:
        compute = took[f"share of {count}"] * max(1, count / core_count)
        speed = took[1] / took[count]
        rows.append(
            {
                "devices": count,
                "milliseconds": took[count],
                "speed": speed,
                "efficiency": speed / min(count, core_count),
                "compute_ms": compute,
                "rest_ms": took[count] - compute,
            }
        )
    return {
        "step": f"{arguments.network}, {arguments.batch} x {side} x {side}",
        "cores": core_count,
        "rows": rows,
        "scanned_ms": took["scan"] / _SCANNED,
    }


def report(results: dict) -> str:
    """Returns a row a number of devices."""
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
