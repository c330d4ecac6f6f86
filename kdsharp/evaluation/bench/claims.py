"""The speed claims of the reports, as the throughput that they would need."""

import math
from typing import NamedTuple

from kdsharp.evaluation.bench import operations


class Claim(NamedTuple):
    """A claim of a network's frame rate on some hardware."""

    name: str
    model: dict
    rate: float
    where: str


CLAIMS = (
    Claim(
        "8x32 student",
        {"name": "dncnn", "depth": 8, "width": 32, "norm_after": ()},
        42,
        "a CPU at 1280x720",
    ),
    Claim(
        "17x64 teacher",
        {"name": "dncnn", "depth": 17, "width": 64, "norm_after": ()},
        8,
        "a CPU at 1280x720",
    ),
    Claim(
        "encoder-decoder",
        {"name": "encoder_decoder"},
        69.4,
        "a GPU at 1920x1080",
    ),
)


def describe(height: int, width: int, peak: float) -> list[str]:
    """Describes the GFLOP/s that each claim needs, relative to this machine's peak."""
    said = []
    for name, model, rate, where in CLAIMS:
        cost = operations.per_frame(model, height, width) / 1e9
        need = cost * rate
        times = "" if math.isnan(peak) else f", {need / peak:.1f} times the peak here"
        said.append(
            f"{name}, {rate:g} frames/s claimed on {where}: at {width}x{height} "
            f"{cost:,.1f} GFLOP per frame, {need:,.0f} GFLOP/s{times}"
        )
    return said
