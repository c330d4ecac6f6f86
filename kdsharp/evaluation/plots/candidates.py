"""A labelled scatter plot of networks: gain against cost."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from kdsharp.base import atomic_files


class Candidate(NamedTuple):
    """A network's GFLOP per frame, and its gains in dB, one per seed."""

    cost: float
    gains: list[float]


def plot(candidates: Mapping[str, Candidate], path: Path) -> None:
    """Plots a point per network, with a bar over its seeds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    middles = {name: sum(c.gains) / len(c.gains) for name, c in candidates.items()}
    for name, (cost, gains) in candidates.items():
        spread = [[middles[name] - min(gains)], [max(gains) - middles[name]]]
        axes.errorbar(cost, middles[name], spread, fmt="o", color="C0")
    axes.margins(0.15)
    _label(axes, {name: (c.cost, middles[name]) for name, c in candidates.items()})
    axes.set(
        xlabel="GFLOP a frame of 1280x720", ylabel="gain over the input, dB of PSNR"
    )
    axes.grid(alpha=0.3)
    with atomic_files.atomic_write(path) as unfinished:
        figure.savefig(unfinished, dpi=110)


def _label(axes, points: Mapping[str, tuple[float, float]]) -> None:
    """Labels the points, from the top down, without overlaps."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    line, reach = (top - bottom) / 28, (right - left) / 5
    written = []
    for name, (x, y) in sorted(points.items(), key=lambda item: -item[1][1]):
        beside = [there[1] for there in written if abs(there[0] - x) < reach]
        height = min([y, *(there - line for there in beside)])
        written.append((x, height))
        inward = x > (left + right) / 2
        axes.annotate(
            name,
            (x, y),
            (x + (right - left) * (-0.012 if inward else 0.012), height),
            ha="right" if inward else "left",
            va="center",
            fontsize=8,
        )
