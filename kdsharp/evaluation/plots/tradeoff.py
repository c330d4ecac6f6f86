"""Plots of quality against speed, with the Pareto front.

Quality is measured in float32, whatever the dtype of the speed.
"""

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kdsharp.base import atomic_files
from kdsharp.core import metrics
from kdsharp.errors import UserError
from kdsharp.evaluation.quality.restorers import INPUT

_SIDE = 5
_MARKS = "o^vDP*Xh"


class Point(NamedTuple):
    """A network on a backend: frames per second and quality."""

    network: str
    backend: str
    rate: float
    quality: float


def read(paths: Sequence[Path]) -> tuple[list[dict], list[dict]]:
    """Reads the JSON files of `kdsharp eval` and `kdsharp bench`."""
    by_kind: dict[str, list[dict]] = {"quality": [], "speed": []}
    for path in paths:
        try:
            content = json.loads(path.read_text())
            by_kind[content["kind"]].append(content)
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path} is neither a scores.json of kdsharp eval nor a speed.json of "
                "kdsharp bench"
            ) from error
    for kind, verb in (("quality", "eval"), ("speed", "bench")):
        if not by_kind[kind]:
            raise UserError(
                f"no {kind} among {len(paths)} files: give kdsharp {verb}'s"
            )
    return by_kind["quality"], by_kind["speed"]


def points(quality: dict, sizes: Sequence[dict], metric: str = "psnr") -> list[Point]:
    """Combines the networks that are in both, for timings of one frame size."""
    points = []
    for row in (row for size in sizes for row in size["rows"]):
        scores = quality["rows"].get(row["network"], {}).get(metric)
        if scores and scores["mean"] is not None:
            backend = f"{row['backend']} {row['dtype']}"
            rate = row["frames_per_second"]
            points.append(Point(row["network"], backend, rate, scores["mean"]))
    return points


def front(points: Sequence[Point]) -> list[Point]:
    """The Pareto front, slowest first."""
    best = []
    for point in sorted(points, key=lambda p: (-p.rate, -p.quality)):
        if not best or point.quality > best[-1].quality:
            best.append(point)
    return best[::-1]


def plot(paths: Sequence[Path], path: Path, metric: str = "psnr") -> None:
    """Plots a panel for each evaluation and each frame size."""
    if metric not in metrics.MAXIMISED:
        raise UserError(
            f"higher is not better for metric {metric!r}; choose one of: "
            f"{', '.join(sorted(metrics.MAXIMISED))}"
        )
    qualities, speeds = read(paths)
    sizes: dict[tuple[int, int], list[dict]] = {}
    for speed in speeds:
        for size in speed["sizes"]:
            sizes.setdefault((size["width"], size["height"]), []).append(size)
    panels = [
        (quality, shape, points(quality, timed, metric))
        for quality in qualities
        for shape, timed in sizes.items()
    ]
    if not any(found for _, _, found in panels):
        raise UserError(
            "no network is in both the scores and the timings; their names have to "
            "be the same"
        )
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=(_SIDE * len(sizes) + 1, _SIDE * len(qualities)), layout="constrained"
    )
    all_axes = figure.subplots(len(qualities), len(sizes), squeeze=False).flat
    for axes, (quality, (width, height), found) in zip(all_axes, panels, strict=True):
        _draw(axes, found, quality, metric)
        axes.set(
            title=f"{quality['source']}, {quality['degradation']}, {width}x{height}",
            xlabel="frames a second",
            ylabel=f"{metric.upper()}, {quality['protocol']}",
        )
    with atomic_files.atomic_write(path) as unfinished:
        figure.savefig(unfinished, dpi=110)


def _draw(axes, points: Sequence[Point], quality: dict, metric: str) -> None:
    """Draws a panel, with a colour per network and a marker per backend."""
    axes.set_xscale("log")
    best = front(points)
    axes.plot(
        [p.rate for p in best],
        [p.quality for p in best],
        "--",
        color="grey",
        label="none is both better and faster",
    )
    colors = {network: f"C{i}" for i, network in enumerate(_unique(points, "network"))}
    marks = dict(zip(_unique(points, "backend"), itertools.cycle(_MARKS), strict=False))
    for point in points:
        axes.plot(
            *(point.rate, point.quality, marks[point.backend]),
            color=colors[point.network],
            markersize=11 if point in best else 6,
        )
    for network, color in colors.items():
        axes.plot([], [], "s", color=color, label=network)
    for backend, mark in marks.items():
        axes.plot([], [], mark, color="none", markeredgecolor="black", label=backend)
    of_input = quality["rows"][INPUT].get(metric)
    if of_input and of_input["mean"] is not None:
        axes.axhline(of_input["mean"], color="grey", linestyle=":", label="input")
    axes.margins(0.2)
    axes.legend(fontsize=7)


def _unique(points: Sequence[Point], field: str) -> list[str]:
    return list(dict.fromkeys(getattr(point, field) for point in points))
