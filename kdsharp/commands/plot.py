"""`kdsharp plot`: draws training curves, trade-offs and residuals."""

from collections.abc import Sequence
from pathlib import Path

from kdsharp.core import degradations
from kdsharp.data import decoding
from kdsharp.errors import UserError
from kdsharp.evaluation.plots import curves, residuals, tradeoff
from kdsharp.evaluation.quality import cases, restorers


def draw_runs(folders: Sequence[Path], metric: str, out: Path) -> None:
    """Plots the curves of runs, labelled by the names of their folders."""
    decoding.check_name(out)
    names = [folder.name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    curves.compare(dict(zip(names, folders, strict=True)), metric, out)
    print(out)


def draw_tradeoff(found: Sequence[Path], metric: str, out: Path) -> None:
    """Plots quality against speed."""
    decoding.check_name(out)
    tradeoff.plot(found, out, metric)
    print(out)


def draw_residuals(
    teacher: str, student: str, data: Path, degradation: str, out: Path
) -> None:
    """Draws the residuals of two networks side by side."""
    decoding.check_name(out)
    sharp = cases.of_sharp(data, degradations.create(degradation))
    networks, failed = restorers.load([teacher, student])
    if failed:
        raise UserError("; ".join(failed.values()))
    if len(networks) < 2:
        raise UserError(f"{teacher} and {student} are the same: give two networks")
    residuals.write(sharp, list(networks.values()), out)
    print(out)
