"""Reports an evaluation as Markdown, CSV, JSON and a gallery of crops."""

import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path

from kdsharp.base import atomic_files
from kdsharp.core import metrics
from kdsharp.evaluation import text
from kdsharp.evaluation.quality.comparison import TO_TEACHER, ComparisonRow, Evaluation
from kdsharp.evaluation.quality.restorers import INPUT, UNSHARP_SETTINGS
from kdsharp.evaluation.quality.statistics import Mean


def table(evaluation: Evaluation) -> str:
    """Formats the table, with 95 % bootstrap intervals in brackets."""
    columns = dict(_COLUMNS)
    if not any("ms_ssim" in row.means for row in evaluation.rows):
        del columns["MS-SSIM"]
    if evaluation.against:
        columns |= _COLUMNS_AGAINST
    lines = [["", *columns]]
    lines += [
        [row.name, *(cell(row) for cell in columns.values())] for row in evaluation.rows
    ]
    return text.table(lines)


def notes(evaluation: Evaluation, source: str, blur: str) -> list[str]:
    """Describes the protocol, for comparisons with other tables."""
    pictures = evaluation.pictures
    pixels = "RGB" if evaluation.protocol == "rgb" else "luma (BT.601, 16 to 235)"
    said = [
        f"{len(pictures)} pictures of {source}, blur: {blur}; {pixels} compared, "
        f"{evaluation.shave} pixels at each border left out.",
        "In brackets: 95 % bootstrap interval of the mean over pictures. Wins: "
        "pictures on which a row has the highest PSNR.",
        f"Unsharp mask: {UNSHARP_SETTINGS}.",
    ]
    if grey := sum(picture.grey for picture in pictures):
        said.append(
            f"Stored grey, and compared as stored (0 to 255), as published scores "
            f"are: {grey}."
        )
    missing = sum("ms_ssim" not in picture.scores[INPUT] for picture in pictures)
    if missing:
        said.append(f"Too small for MS-SSIM, and left out of its mean: {missing}.")
    said += [
        f"{row.name} was trained for {row.trained_for}."
        for row in evaluation.rows
        if row.trained_for and row.trained_for != blur
    ]
    if evaluation.against:
        said.append(
            f"Share: of the PSNR that {evaluation.against} gains over the input, how "
            "much a row gains."
        )
    return said


def write(evaluation: Evaluation, folder: Path, source: str, blur: str) -> list[Path]:
    """Writes scores.md, scores.csv, scores.json, gallery.png; returns their paths."""
    said = notes(evaluation, source, blur)
    texts = {
        "scores.md": _markdown(evaluation, said),
        "scores.csv": _csv(evaluation),
        "scores.json": _json(evaluation, source, blur),
    }
    for name, written in texts.items():
        atomic_files.write_text(folder / name, written)
    with atomic_files.atomic_write(folder / "gallery.png") as unfinished:
        evaluation.gallery.sheet().save(unfinished)
    return [folder / name for name in (*texts, "gallery.png")]


def _markdown(evaluation: Evaluation, said: list[str]) -> str:
    names = [row.name for row in evaluation.rows]
    lines = [
        "# Scores",
        "",
        table(evaluation),
        "",
        *(f"- {note}" for note in said),
        "",
        "![the crops in which they differ most](gallery.png)",
        "",
        f"| PSNR, dB | size | {' | '.join(names)} |",
        f"| --- | --- |{' ---: |' * len(names)}",
    ]
    for picture in evaluation.pictures:
        scores = (f"{picture.scores[name]['psnr']:.2f}" for name in names)
        size = f"{picture.width}x{picture.height}"
        lines.append(f"| {picture.name} | {size} | {' | '.join(scores)} |")
    if evaluation.left_out:
        lines += ["", "Left out:", ""]
        lines += [f"- {name}: {why}" for name, why in evaluation.left_out.items()]
    return "\n".join(lines) + "\n"


def _csv(evaluation: Evaluation) -> str:
    scored = [*metrics.OF_PICTURES, *([TO_TEACHER] if evaluation.against else [])]
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(["picture", "width", "height", "restorer", *scored])
    for picture in evaluation.pictures:
        for name, scores in picture.scores.items():
            values = [scores.get(metric, "") for metric in scored]
            writer.writerow(
                [picture.name, picture.width, picture.height, name, *values]
            )
    return written.getvalue()


def _json(evaluation: Evaluation, source: str, blur: str) -> str:
    """Formats all results as JSON; infinite values are null."""
    found = {
        "kind": "quality",
        "source": source,
        "degradation": blur,
        "protocol": evaluation.protocol,
        "shave": evaluation.shave,
        "against": evaluation.against,
        "unsharp_mask": UNSHARP_SETTINGS,
        "rows": {
            row.name: {
                "parameters": row.parameters,
                "trained_for": row.trained_for,
                "wins": row.wins,
                "gain": _mean(row.gain),
                "share_of_gain": _mean(row.share),
                **{name: _mean(mean) for name, mean in row.means.items()},
            }
            for row in evaluation.rows
        },
        "pictures": [
            {
                "name": picture.name,
                "width": picture.width,
                "height": picture.height,
                "grey": picture.grey,
                "scores": {
                    row: {name: _finite(value) for name, value in scores.items()}
                    for row, scores in picture.scores.items()
                },
            }
            for picture in evaluation.pictures
        ],
        "left_out": evaluation.left_out,
    }
    return json.dumps(found, indent=2, allow_nan=False) + "\n"


def _mean(mean: Mean | None) -> dict[str, float | None] | None:
    return mean and {name: _finite(value) for name, value in mean._asdict().items()}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _with_interval(mean: Mean | None, form: str) -> str:
    if mean is None:
        return ""
    if mean.low is None:
        return f"{mean.mean:{form}}"
    return f"{mean.mean:{form}} [{mean.low:{form}}, {mean.high:{form}}]"


def _in_percent(share: Mean | None) -> Mean | None:
    if share is None:
        return None
    low, high = (end if end is None else 100 * end for end in share[1:])
    return Mean(100 * share.mean, low, high)


def _mean_column(metric: str, form: str) -> Callable[[ComparisonRow], str]:
    return lambda row: _with_interval(row.means.get(metric), form)


_COLUMNS: dict[str, Callable[[ComparisonRow], str]] = {
    "parameters": lambda row: f"{row.parameters:,}" if row.parameters else "",
    "PSNR, dB": _mean_column("psnr", ".2f"),
    "gain, dB": lambda row: _with_interval(row.gain, "+.2f"),
    "SSIM": _mean_column("ssim", ".4f"),
    "MS-SSIM": _mean_column("ms_ssim", ".4f"),
    "MAE": lambda row: f"{row.means['mae'].mean:.3e}",
    "wins": lambda row: f"{row.wins}",
}
_COLUMNS_AGAINST: dict[str, Callable[[ComparisonRow], str]] = {
    "SSIM to teacher": _mean_column(TO_TEACHER, ".4f"),
    "share, %": lambda row: _with_interval(_in_percent(row.share), ".0f"),
}
