"""`kdsharp mos report`: tables, plots and the answers themselves."""

import csv
import io
from pathlib import Path

import numpy as np

from kdsharp.base import atomic_files
from kdsharp.errors import UserError
from kdsharp.study import results
from kdsharp.study.results import Results, Scale

_SYNTHETIC = "SYNTHETIC: a program played these raters, no person gave an answer"
_SURE = 0.05


def run(folder: Path, out: Path) -> None:
    """Writes report.md, means.csv, answers.csv and plots, and prints the report."""
    found = results.of(folder)
    if not found.raters:
        raise UserError(f"{folder} holds no answers yet: kdsharp mos serve {folder}")
    text = markdown(found)
    atomic_files.write_text(out / "report.md", text)
    atomic_files.write_text(out / "means.csv", _means(found))
    atomic_files.write_text(out / "answers.csv", _answers(found))
    _plot(found, out / "means.png")
    print(text)


def markdown(found: Results) -> str:
    """Returns the report in words and tables."""
    lines = [f"# {found.study.title}", ""]
    if found.synthetic:
        lines += [f"**{_SYNTHETIC}.**", ""]
    who = "synthetic raters" if found.synthetic else "raters"
    lines += [
        f"{found.raters} {who}, {found.study.degradation}; absolute category ratings "
        "from 1 to 5 after ITU-T P.910 with hidden reference. Means over raters with "
        "95 % intervals of Student's t; pairs by Wilcoxon's signed-rank test, p-values "
        "after Holm.",
        "",
        _consistency(found),
    ]
    for name, scale in found.scales.items():
        lines += ["", f"## {name}", "", *_table(scale), "", *_pairs(scale)]
    return "\n".join(lines) + "\n"


def _consistency(found: Results) -> str:
    if not found.repeats:
        return "Nothing was shown twice."
    apart = np.abs([a - b for a, b in found.repeats])
    same, near = (100 * np.mean(apart <= most) for most in (0, 1))
    return (
        f"Shown twice: {len(apart)} pairs of answers, {same:.0f} % the same, "
        f"{near:.0f} % within 1, {apart.mean():.2f} apart on average."
    )


def _table(scale: Scale) -> list[str]:
    lines = [
        "| model | MOS | 95 % | to the reference | 95 % | raters |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for model, mean in scale.means.items():
        apart = scale.differences.get(model)
        told = ("", "") if apart is None else (f"{apart.mean:+.2f}", _interval(apart))
        lines.append(
            f"| `{model}` | {mean.mean:.2f} | {_interval(mean)} "
            f"| {told[0]} | {told[1]} | {mean.raters} |"
        )
    if scale.left_out:
        lines += ["", f"Left out after ITU-R BT.500: {len(scale.left_out)} raters."]
    return lines


def _interval(mean) -> str:
    return "" if np.isnan(mean.low) else f"{mean.low:.2f} to {mean.high:.2f}"


def _pairs(scale: Scale) -> list[str]:
    lines = ["| pair | difference | p |", "| --- | ---: | ---: |"]
    for pair in scale.pairs:
        sure = "**" if pair.p < _SURE else ""
        lines.append(
            f"| `{pair.first}`, `{pair.second}` | {pair.difference:+.2f} "
            f"| {sure}{pair.p:.2g}{sure} |"
        )
    return lines


def _means(found: Results) -> str:
    rows = [
        [scale, model, *mean, *scores.differences.get(model, ("", "", ""))[:3]]
        for scale, scores in found.scales.items()
        for model, mean in scores.means.items()
    ]
    head = ["scale", "model", "mos", "low", "high", "raters"]
    head += ["difference", "difference_low", "difference_high"]
    return _csv(found, head, rows)


def _answers(found: Results) -> str:
    head = ["rater", "content", "model", "scale", "score", "training", "again"]
    rows = [
        [r.rater, r.content, r.model, r.scale, r.score, int(r.training), int(r.again)]
        for r in found.rows
    ]
    return _csv(found, head, rows)


def _csv(found: Results, head: list[str], rows: list[list]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*head, "synthetic"])
    writer.writerows([*row, int(found.synthetic)] for row in rows)
    return text.getvalue()


def _plot(found: Results, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    axes = figure.subplots(1, len(found.scales), sharey=True)
    for axis, (name, scale) in zip(axes, found.scales.items(), strict=True):
        means = list(scale.means.values())
        places = np.arange(len(means))
        half = np.nan_to_num([mean.high - mean.mean for mean in means])
        middles = [mean.mean for mean in means]
        axis.errorbar(places, middles, half, fmt="o", capsize=4, color="tab:blue")
        axis.set(title=name, ylim=(0.9, 5.1), yticks=range(1, 6))
        axis.set_xticks(places, scale.means, rotation=35, ha="right", fontsize=8)
        axis.grid(axis="y", alpha=0.3)
    axes[0].set_ylabel("mean opinion, 95 %")
    if found.synthetic:
        figure.suptitle(_SYNTHETIC, color="tab:red", fontsize=9)
    with atomic_files.atomic_write(path) as unfinished:
        figure.savefig(unfinished, dpi=110)
