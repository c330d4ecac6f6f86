"""Breakdown of the teacher's training step on this device.

    python -m benchmarks.teacher_step --json step.json
    python -m benchmarks.teacher_step --quick     # tiny, on a CPU

Measures the device's rates by a large matrix product and a large copy. Then whole steps
as training runs them (crops, blur and Muon included, many per call), compared with the
roofline: a product takes its operations or its bytes at the measured rates, whichever
is longer, and each batch norm eight passes over its features. Then each kind of layer
by itself, forward and gradients, and how often a step runs it. Operations and bytes are
XLA's count for the compiled program.

Parts that are not compiled or not started within `--seconds` are left out, and listed.
`--quick` has no time limit.
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
    words = "tiny sizes, to check that it works"
    parser.add_argument("--quick", action="store_true", help=words)
    words = "after which no other measurement starts (%(default)g)"
    parser.add_argument("--seconds", type=float, default=75, help=words)


def measure(arguments: argparse.Namespace) -> dict:
    """Measures at full size, or at a tiny one with --quick."""
    if arguments.quick:
        return survey(QUICK, math.inf)
    return survey(Size(), arguments.seconds)


def survey(size: Size, seconds: float) -> dict:
    """Measures as many of the rates, steps and parts as the time limit allows."""
    start = time.monotonic()
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
    compiled = programs.compile_all(wanted, start + 0.75 * seconds)
    found = {
        name: programs.measure(wanted[name], program, size.min_seconds)
        for name, program in compiled.items()
        if time.monotonic() < start + seconds
    }
    result = _result(size, wanted, found)
    result["seconds"] = round(time.monotonic() - start, 1)
    result["left_out"] = [" ".join(map(str, n)) for n in wanted if n not in found]
    return result


def _result(size: Size, wanted: dict, found: dict) -> dict:
    device = jax.devices()[0]
    measured = {name[1]: 1e-3 * cost.milliseconds for name, cost in found.items()}
    bandwidth = 2 * size.copied / measured["copy"]
    product = {
        dtype: 2 * size.matrix**3 / measured[f"product, {dtype}"]
        for dtype in ("bfloat16", "float32")
    }
    steps = []
    for name, cost in found.items():
        if name[0] != "step":
            continue
        _, batch, dtype, variant = name
        expected = parts.roofline(size, batch, dtype, product[dtype], bandwidth)
        rate = expected["gigaflop"] * 1e9 / (1e-3 * cost.milliseconds)
        roofline_ms = expected["products_ms"] + expected["norms_ms"] * (
            variant != NO_NORM
        )
        steps.append(
            {
                "batch": batch,
                "dtype": dtype,
                "variant": variant,
                **dataclasses.asdict(cost),
                "products_gigaflop": expected["gigaflop"],
                "steps_per_second": 1e3 / cost.milliseconds,
                "of_the_matrix_rate": rate / product[dtype],
                "roofline_ms": roofline_ms,
                "of_the_roofline": roofline_ms / cost.milliseconds,
            }
        )
    return {
        "device": device.device_kind,
        "jax": jax.__version__,
        "network": f"DnCNN {size.depth}x{size.width}",
        "patch": size.patch,
        "product_flops": product,
        "copy_bytes_per_second": bandwidth,
        "steps": steps,
        "pieces": {
            name[1]: dataclasses.asdict(cost) | {"times": wanted[name].times}
            for name, cost in found.items()
            if name[0] == "piece"
        },
    }


def report(result: dict) -> str:
    """Formats the result as Markdown."""
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
    for step in result["steps"]:
        variant = step["variant"] and f", {step['variant']}"
        rows.append(
            [
                f"{step['batch']}, {step['dtype']}{variant}",
                f"{step['milliseconds']:.2f}",
                f"{step['steps_per_second']:.1f}",
                f"{step['products_gigaflop']:,.1f}",
                f"{step['gigabytes']:,.2f}",
                f"{step['megabytes_held']:,.0f}",
                f"{step['of_the_matrix_rate']:.0%}",
                f"{step['roofline_ms']:.2f}",
                f"{step['of_the_roofline']:.0%}",
            ]
        )
    pieces = [["part, in bfloat16", "ms", "times", "ms a step", "GFLOP", "GB"]]
    for name, piece in result["pieces"].items():
        pieces.append(
            [
                name,
                f"{piece['milliseconds']:.3f}",
                str(piece["times"]),
                f"{piece['times'] * piece['milliseconds']:.2f}",
                f"{piece['gigaflop']:,.2f}",
                f"{piece['gigabytes']:,.3f}",
            ]
        )
    lines = [head, text.table(rows), text.table(pieces)]
    if result["left_out"]:
        lines.append(f"Left out, over the time limit: {', '.join(result['left_out'])}.")
    return "\n\n".join(lines)


if __name__ == "__main__":
    # A normal exit would wait for the compilations that are still running.
    hosts.exit_now(command.run(__name__))
