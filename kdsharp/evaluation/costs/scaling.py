"""One step over 1, 2, 4 and 8 devices that this machine's cores pretend to be.

    python -m kdsharp.evaluation.costs.scaling

The batch is the same for all, so that a step has the same work. Where a step's time
goes: `compute` is what a device's share of the batch takes alone, times the devices
that a core has to serve; the rest is what devices say to one another (gradients, batch
statistics) and wait for one another. The last line is a step of eight that are one
program (`lax.scan`), on one device: what starting each by itself costs.
"""

import jax
import numpy as np
from absl import app, flags

from kdsharp.base import cores
from kdsharp.evaluation.bench.turns import alternate, timed
from kdsharp.evaluation.costs.jax_step import (
    NETWORKS,
    jax_step,
    random_batch,
    scanned_steps,
)

_BATCH = flags.DEFINE_integer("batch", 8, "Crops in a batch")
_PATCH = flags.DEFINE_integer("patch", 32, "Pixels along a side of a crop")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Turns of each contender")
_NETWORK = flags.DEFINE_enum("network", "student", list(NETWORKS), "Which to time")

_COUNTS = (1, 2, 4, 8)
_SCANNED = 8


def main(argv: list[str]) -> None:
    """Prints a row a number of devices."""
    del argv
    jax.config.update("jax_num_cpu_devices", max(_COUNTS))
    core_count = cores.count()
    network = NETWORKS[_NETWORK.value]
    side = _PATCH.value
    ways = {}
    for count in _COUNTS:
        batch = random_batch(_BATCH.value, side, side, 3)
        ways[count] = jax_step(network, batch, device_count=count)
        share = batch[: _BATCH.value // count]
        ways[f"share of {count}"] = jax_step(network, share, device_count=1)
    ways["scan"] = scanned_steps(network, batch, _SCANNED)
    took = {
        way: 1e3 * float(np.median(times))
        for way, times in alternate(
            {way: timed(take) for way, take in ways.items()}, _ROUNDS.value
        ).items()
    }
    print(f"{_NETWORK.value}, {_BATCH.value} x {side} x {side}, {core_count} cores")
    print("| devices | ms a step | speed | efficiency | compute, ms | rest, ms |")
    print("| ---: " * 6 + "|")
    for count in _COUNTS:
        speed = took[1] / took[count]
        compute = took[f"share of {count}"] * max(1, count / core_count)
        print(
            f"| {count} | {took[count]:.0f} | {speed:.2f} "
            f"| {speed / min(count, core_count):.0%} | {compute:.0f} "
            f"| {took[count] - compute:.0f} |"
        )
    print(f"a step of {_SCANNED} in one program: {took['scan'] / _SCANNED:.0f} ms")


if __name__ == "__main__":
    app.run(main)
