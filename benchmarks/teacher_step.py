"""Where the time of the teacher's training step goes on this device.

    python -m benchmarks.teacher_step --json step.json
    python -m benchmarks.teacher_step --quick     # tiny, on a CPU

First what the device can do: a large matrix product, a large copy. Then whole steps as
training takes them, crops, blur, Muon and all, many in a call, beside the roofline: a
product takes its operations at the measured rate or its bytes at the measured rate,
whichever is longer, and each batch norm eight passes over its features. Then each kind
of layer by itself, forward and gradients, and how often a step has it. Operations and
bytes are of the compiled program, by XLA's own count.

What has not been compiled or begun after `--seconds` is left out, and named; a tiny
survey has all the time it needs.
"""

import argparse
import dataclasses
import math
import time

import jax

from benchmarks import command, programs
from benchmarks import teacher_parts as parts
from benchmarks.teacher_parts import ANY_ORDER, AS_TRAINED, NO_NORM, QUICK, Size
from kdsharp.evaluation import text
from kdsharp.training import hosts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    words = "tiny sizes, to see that it works"
    parser.add_argument("--quick", action="store_true", help=words)
    words = "after which nothing more is begun (%(default)g)"
    parser.add_argument("--seconds", type=float, default=75, help=words)


def measure(arguments: argparse.Namespace) -> dict:
    """Returns all that was measured in that time."""
    if arguments.quick:
        return survey(QUICK, math.inf)
    return survey(Size(), arguments.seconds)


def survey(size: Size, seconds: float) -> dict:
    """Returns all that was measured in so many seconds."""
    began = time.monotonic()
    wanted = {("rate", name): work for name, work in parts.rates(size).items()}
    variants = [
        *((batch, "bfloat16", AS_TRAINED) for batch in size.batches),
        (size.batches[0], "float32", AS_TRAINED),
        (size.batches[0], "bfloat16", NO_NORM),
        (size.batches[0], "bfloat16", ANY_ORDER),
    ]
    for variant in variants:
        wanted[("step", *variant)] = parts.step(size, *variant)
    for name, work in parts.pieces(size, "bfloat16").items():
        wanted[("piece", name)] = work
    compiled = programs.compile_all(wanted, began + 0.75 * seconds)
    found = {
        name: programs.measure(wanted[name], program, size.least)
        for name, program in compiled.items()
        if time.monotonic() < began + seconds
    }
    result = _result(size, wanted, found)
    result["seconds"] = round(time.monotonic() - began, 1)
    result["left_out"] = [" ".join(map(str, n)) for n in wanted if n not in found]
    return result


def _result(size: Size, wanted: dict, found: dict) -> dict:
    device = jax.devices()[0]
    measured = {name[1]: 1e-3 * cost.milliseconds for name, cost in found.items()}
    copied = 2 * size.copied / measured["copy"]
    product = {
        dtype: 2 * size.matrix**3 / measured[f"product, {dtype}"]
        for dtype in ("bfloat16", "float32")
    }
    steps = []
    for name, cost in found.items():
        if name[0] != "step":
            continue
        _, batch, dtype, variant = name
        expected = parts.paper(size, batch, dtype, product[dtype], copied)
        reached = expected["gigaflop"] * 1e9 / (1e-3 * cost.milliseconds)
        least = expected["products_ms"] + expected["norms_ms"] * (variant != NO_NORM)
        steps.append(
            {
                "batch": batch,
                "dtype": dtype,
                "variant": variant,
                **dataclasses.asdict(cost),
                "products_gigaflop": expected["gigaflop"],
                "steps_per_second": 1e3 / cost.milliseconds,
                "of_the_matrix_rate": reached / product[dtype],
                "roofline_ms": least,
                "of_the_roofline": least / cost.milliseconds,
            }
        )
    return {
        "device": device.device_kind,
        "jax": jax.__version__,
        "network": f"DnCNN {size.depth}x{size.width}",
        "patch": size.patch,
        "product_flops": product,
        "copy_bytes_per_second": copied,
        "steps": steps,
        "pieces": {
            name[1]: dataclasses.asdict(cost) | {"times": wanted[name].times}
            for name, cost in found.items()
            if name[0] == "piece"
        },
    }


def report(result: dict) -> str:
    """Returns the result as Markdown."""
    product = result["product_flops"]
    head = (
        f"{result['network']} on {result['device']}, JAX {result['jax']}: a matrix "
        f"product reaches {product['bfloat16'] / 1e12:.2f} TFLOP/s in bfloat16 and "
        f"{product['float32'] / 1e12:.2f} in float32, a copy "
        f"{result['copy_bytes_per_second'] / 1e9:,.1f} GB/s."
    )
    rows = [
        [
            f"step of {result['patch']}x{result['patch']}",
            "ms",
            "steps/s",
            "GFLOP",
            "GB",
            "MB held",
            "of the matrix rate",
            "roofline, ms",
            "of it",
        ]
    ]
    for held in result["steps"]:
        variant = held["variant"] and f", {held['variant']}"
        rows.append(
            [
                f"{held['batch']}, {held['dtype']}{variant}",
                f"{held['milliseconds']:.2f}",
                f"{held['steps_per_second']:.1f}",
                f"{held['products_gigaflop']:,.1f}",
                f"{held['gigabytes']:,.2f}",
                f"{held['megabytes_held']:,.0f}",
                f"{held['of_the_matrix_rate']:.0%}",
                f"{held['roofline_ms']:.2f}",
                f"{held['of_the_roofline']:.0%}",
            ]
        )
    pieces = [["part, in bfloat16", "ms", "times", "ms a step", "GFLOP", "GB"]]
    for name, held in result["pieces"].items():
        pieces.append(
            [
                name,
                f"{held['milliseconds']:.3f}",
                str(held["times"]),
                f"{held['times'] * held['milliseconds']:.2f}",
                f"{held['gigaflop']:,.2f}",
                f"{held['gigabytes']:,.3f}",
            ]
        )
    lines = [head, text.table(rows), text.table(pieces)]
    if result["left_out"]:
        lines.append(f"Left out for want of time: {', '.join(result['left_out'])}.")
    return "\n\n".join(lines)


if __name__ == "__main__":
    # What still compiles would be waited for.
    hosts.exit_now(command.run(__name__))
