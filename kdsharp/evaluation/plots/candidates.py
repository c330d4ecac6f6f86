"""What networks gain against what they cost, each with its name."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from kdsharp import whole_files


class Candidate(NamedTuple):
    """A network's operations for a frame, in billions, and its gains in decibels."""

    cost: float
    gains: list[float]


def plot(candidates: Mapping[str, Candidate], path: Path) -> None:
    """Writes a point for each; a bar spans its seeds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for name, (cost, gains) in candidates.items():
        middle = sum(gains) / len(gains)
        spread = [[middle - min(gains)], [max(gains) - middle]]
        axes.errorbar(cost, middle, spread, fmt="o", color="C0")
        axes.annotate(
            name, (cost, middle), (6, 3), textcoords="offset points", fontsize=8
        )
    axes.margins(0.15)
    axes.set(
        xlabel="GFLOP a frame of 1280x720", ylabel="gain over the input, dB of PSNR"
    )
    axes.grid(alpha=0.3)
    with whole_files.whole(path) as unfinished:
        figure.savefig(unfinished, dpi=110)
