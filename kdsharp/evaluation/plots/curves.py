"""Plots of loss and quality over the steps of runs."""

from collections.abc import Mapping
from pathlib import Path

from kdsharp.base import atomic_files
from kdsharp.errors import UserError
from kdsharp.training.logs import read_metrics

_NAMES = {"psnr": "PSNR, dB", "gain": "gain over the input, dB"}


def plot(records: list[dict], input_psnr: float, path: Path) -> None:
    """Plots the loss terms and the PSNR of a run, from records of `metrics.jsonl`."""
    figure, loss, quality = _figure("psnr")
    trained = [r for r in records if "train/loss" in r]
    for term in (key for key in (trained[0] if trained else ()) if _is_loss(key)):
        _line(loss, trained, term, term.removeprefix("train/"))
    _line(quality, records, "valid/psnr", "network", marker="o")
    quality.axhline(input_psnr, color="grey", linestyle="--", label="input")
    _scale(loss)
    _save(figure, path)


def compare(folders: Mapping[str, Path], metric: str, path: Path) -> None:
    """Plots the loss and a metric of several runs, each in its own colour."""
    runs = {name: read_metrics(folder) for name, folder in folders.items()}
    key = f"valid/{metric}"
    for name, records in runs.items():
        known = {k.removeprefix("valid/") for r in records for k in r if "valid/" in k}
        if not records:
            raise UserError(f"{folders[name]} is not a run: it has no metrics.jsonl")
        if metric not in known:
            raise UserError(
                f"run {name!r} has no metric {metric!r}; it has: "
                f"{', '.join(sorted(known)) or 'none yet'}"
            )
    figure, loss, quality = _figure(metric)
    for color, (name, records) in enumerate(runs.items()):
        _line(loss, records, "train/loss", name, color=f"C{color}")
        _line(quality, records, key, name, color=f"C{color}", marker="o")
    if metric == "psnr":
        # Runs with equal validation have the same input PSNR, drawn as one line.
        levels = {
            r[key] - r["valid/gain"] for rs in runs.values() for r in rs if key in r
        }
        for level in sorted({round(level, 2) for level in levels}):
            quality.axhline(level, color="grey", linestyle="--", label=f"input {level}")
    _scale(loss)
    _save(figure, path)


def _figure(metric: str):
    # Imported late, since it is slow and rarely needed.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    loss, quality = figure.subplots(1, 2)
    loss.set(xlabel="step", title="training loss")
    quality.set(
        xlabel="step", ylabel=_NAMES.get(metric, metric.upper()), title="validation"
    )
    return figure, loss, quality


def _line(axes, records: list[dict], key: str, label: str, **style) -> None:
    points = [(r["step"], r[key]) for r in records if key in r]
    if points:
        axes.plot(*zip(*points, strict=True), label=label, markersize=3, **style)


def _scale(loss) -> None:
    """Uses a log scale for the loss, unless it has negative values, as in dB."""
    values = [y for line in loss.lines for y in line.get_ydata()]
    if values and min(values) > 0:
        loss.set_yscale("log")


def _save(figure, path: Path) -> None:
    for axes in figure.axes:
        if axes.lines:
            axes.legend()
    with atomic_files.atomic_write(path) as unfinished:
        figure.savefig(unfinished, dpi=110)


def _is_loss(key: str) -> bool:
    return key.startswith("train/") and key not in (
        "train/learning_rate",
        "train/grad_norm",
    )
