"""Reports timings as a table and as JSON."""

import dataclasses
import json
import math

import numpy as np

from kdsharp.evaluation import text
from kdsharp.evaluation.bench.backends import Settings
from kdsharp.evaluation.bench.timing import Timed


@dataclasses.dataclass(frozen=True)
class SpeedRow:
    """The times of a contender, and the operations per frame."""

    network: str
    backend: str
    dtype: str
    timed: Timed
    operations: float


@dataclasses.dataclass(frozen=True)
class Size:
    """The results for one frame size; `peak` is in GFLOP/s."""

    width: int
    height: int
    batch: int
    rows: list[SpeedRow]
    peak: float
    claims: list[str]


def numbers(row: SpeedRow, size: Size) -> dict[str, float | int | str | None]:
    """Computes the numbers of a row; times are in milliseconds per batch."""
    times = 1e3 * np.array(row.timed.seconds)
    median, low, high = (float(np.percentile(times, p)) for p in (50, 5, 95))
    speed = row.operations * size.batch / median / 1e6
    return {
        "network": row.network,
        "backend": row.backend,
        "dtype": row.dtype,
        "calls": len(times),
        "median_ms": median,
        "p5_ms": low,
        "p95_ms": high,
        "frames_per_second": 1e3 * size.batch / median,
        "gflop_per_frame": row.operations / 1e9,
        "gflop_per_second": speed,
        "share_of_peak": None if math.isnan(size.peak) else speed / size.peak,
        "first_frame_s": row.timed.first,
        "memory_mb": row.timed.memory,
    }


def table(size: Size) -> str:
    """Formats the table, with one line per contender."""
    lines = [list(_COLUMNS)]
    for row in size.rows:
        values = numbers(row, size)
        lines.append([form(values) for form in _COLUMNS.values()])
    return text.table(lines, words=3)


_COLUMNS = {
    "network": lambda n: n["network"],
    "backend": lambda n: n["backend"],
    "dtype": lambda n: n["dtype"],
    "ms, median": lambda n: f"{n['median_ms']:.1f}",
    "5 %": lambda n: f"{n['p5_ms']:.1f}",
    "95 %": lambda n: f"{n['p95_ms']:.1f}",
    "calls": lambda n: f"{n['calls']}",
    "frames/s": lambda n: f"{n['frames_per_second']:.2f}",
    "GFLOP a frame": lambda n: f"{n['gflop_per_frame']:.2f}",
    "GFLOP/s": lambda n: f"{n['gflop_per_second']:.0f}",
    "of peak, %": lambda n: (
        f"{100 * n['share_of_peak']:.0f}" if n["share_of_peak"] else ""
    ),
    "first frame, s": lambda n: f"{n['first_frame_s']:.1f}",
    "memory, MB": lambda n: f"{n['memory_mb']:.0f}",
}


def heading(size: Size, settings: Settings) -> str:
    """Formats the heading of a table."""
    cores = f"{settings.threads} cores" if settings.threads else "every core"
    cores += f", device {settings.device}" if settings.device else ""
    peak = "no peak" if math.isnan(size.peak) else f"{size.peak:.0f} GFLOP/s"
    return (
        f"{size.width}x{size.height}, batch {size.batch}, {cores}; a float32 matrix "
        f"product reached {peak}"
    )


def as_json(sizes: list[Size], settings: Settings, machine: dict) -> str:
    """Formats all numbers as JSON, including the seconds of each call."""
    content = {
        "kind": "speed",
        "machine": machine,
        "threads": settings.threads,
        "device": settings.device,
        "sizes": [
            {
                "width": size.width,
                "height": size.height,
                "batch": size.batch,
                "peak_gflop_per_second": (None if math.isnan(size.peak) else size.peak),
                "rows": [
                    {**numbers(row, size), "seconds": row.timed.seconds}
                    for row in size.rows
                ],
                "claims": size.claims,
            }
            for size in sizes
        ],
    }
    return json.dumps(content, indent=2, allow_nan=False) + "\n"
