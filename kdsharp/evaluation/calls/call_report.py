"""Reports the results on calls as Markdown, CSV, JSON and a plot of gain over rate."""

import csv
import dataclasses
import functools
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from kdsharp.base import atomic_files
from kdsharp.evaluation import text
from kdsharp.evaluation.calls.ladder import TEXT, Ladder
from kdsharp.evaluation.calls.summary import MASKS, Judged, Setting, SummaryRow
from kdsharp.evaluation.quality.restorers import INPUT

_BEST = "best unsharp"
_MASK_STYLE = {"color": "black", "linestyle": ":"}


@dataclasses.dataclass(frozen=True)
class CallResults:
    """The results and their settings; `identities` are those of restorers by name."""

    ladder: Ladder
    judged: Judged
    settings: Sequence[Setting]
    rows: Sequence[SummaryRow]
    texts: Mapping[str, Mapping[str, float | None]]
    identities: Mapping[str, str]
    backend: str
    dtype: str
    left_out: Mapping[str, str]

    @property
    def names(self) -> list[str]:
        """The restorers except the input, networks first."""
        names = [name for name in self.identities if name != INPUT]
        return sorted(names, key=lambda name: name in MASKS)

    @property
    def networks(self) -> list[str]:
        return [name for name in self.names if name not in MASKS]


def tables(results: CallResults) -> list[str]:
    """Formats the tables of restorers, of sources, of settings, and of text."""
    made = []
    if results.rows:
        columns = {
            head: cell
            for head, cell in _columns(results).items()
            if any(cell(row) for row in results.rows)
        }
        order = [INPUT, *results.names]
        lines = [["", *columns]]
        for row in sorted(results.rows, key=lambda row: order.index(row.name)):
            lines.append([row.name, *(cell(row) for cell in columns.values())])
        made.append(text.table(lines))
    made += [_sources(results), _settings(results)]
    if results.texts:
        lines = [["text", "PSNR to itself, dB", "gain where coded, dB"]]
        for name in results.names:
            cells = results.texts[name]
            lines.append(
                [
                    name,
                    _format(cells["to_itself"], ".2f"),
                    _format(cells["gain"], "+.2f"),
                ]
            )
        made.append(text.table(lines))
    return made


def notes(results: CallResults) -> list[str]:
    """Describes the protocol, for comparisons with other tables."""
    window = results.ladder.window
    clips = {(cell.clip.name, cell.clip.is_page) for cell, _ in results.judged}
    pages = sum(is_page for _, is_page in clips)
    of_pages = f" and {pages} pages of text" if pages else ""
    return [
        f"{len(clips) - pages} pictures or videos{of_pages}, {window.frames} frames "
        f"each; codecs: {', '.join(results.ladder.codecs)}. Rates are kbit/s for "
        "368x448 at 30 frames a second; other sizes get as many bits a pixel. Half "
        f"size is enlarged by {results.ladder.player} interpolation.",
        "Compared is luma of 8 bits in studio range, from the sixth frame on; SSIM, "
        "VMAF, sharpness and blocking on every eighth of these frames. Gains are over "
        "the decoded frame.",
        f"The best unsharp mask is the best of {', '.join(MASKS)} (radius 1) in each "
        "setting.",
        "Sharpness: energy of edges, 1 is the truth's. Blocking: steps across borders "
        "of blocks over steps beside them, 1 is none. Flicker: change from frame to "
        "frame that the truth does not have, 1 is the decoded frames'.",
        f"Networks ran through {results.backend} in {results.dtype}.",
    ]


def write(results: CallResults, folder: Path) -> list[Path]:
    """Writes calls.md, calls.csv, calls.json and gains.png; returns their paths."""
    texts = {
        "calls.md": _markdown(results),
        "calls.csv": _csv(results),
        "calls.json": _json(results),
    }
    for name, written in texts.items():
        atomic_files.write_text(folder / name, written)
    plot(results, folder / "gains.png")
    return [folder / name for name in (*texts, "gains.png")]


def plot(results: CallResults, path: Path) -> None:
    """Plots gain over rate, with one panel per source and one line per network."""
    from matplotlib.figure import Figure

    sources = _rates(_coded(results))
    figure = Figure(figsize=(4.2 * len(sources), 4.2), layout="constrained")
    lines: dict[str, Callable[[Setting], float]] = {
        name: functools.partial(Setting.psnr_gain, name=name)
        for name in results.networks
    }
    lines[_BEST] = lambda setting: setting.best_mask
    panels = figure.subplots(1, len(sources), squeeze=False)[0]
    for axes, (source, by_rate) in zip(panels, sources.items(), strict=True):
        rates = list(by_rate)
        for name, gain in lines.items():
            style = _MASK_STYLE if name == _BEST else {}
            means = [np.mean([gain(s) for s in here]) for here in by_rate.values()]
            axes.plot(rates, means, marker="o", label=name, **style)
        axes.axhline(0, color="grey", linewidth=1)
        axes.set_xscale("log")
        axes.set_xticks(rates, [str(rate) for rate in rates], minor=False)
        axes.set_xticks([], minor=True)
        axes.set(title=source, xlabel="kbit/s")
    figure.axes[0].set_ylabel("gain in PSNR of luma, dB")
    figure.axes[0].legend(fontsize=7)
    with atomic_files.atomic_write(path) as unfinished:
        figure.savefig(unfinished, dpi=110)


def _sources(results: CallResults) -> str:
    """Formats the gains for each source and rate, as means over motions."""
    lines = [["gain, dB", "kbit/s", *results.names]]
    for source, rates in _rates(_coded(results)).items():
        gains = [
            " / ".join(
                f"{np.mean([s.psnr_gain(n) for s in here]):+.2f}"
                for here in rates.values()
            )
            for n in results.names
        ]
        lines.append([source, " / ".join(map(str, rates)), *gains])
    return text.table(lines, words=2)


def _rates(settings: Sequence[Setting]) -> dict[str, dict[int, list[Setting]]]:
    """Groups settings by source and by ascending rate."""
    results: dict[str, dict[int, list[Setting]]] = {}
    for setting in sorted(settings, key=lambda setting: setting.rate):
        results.setdefault(setting.source, {}).setdefault(setting.rate, []).append(
            setting
        )
    return {s.source: results[s.source] for s in settings}


def _settings(results: CallResults) -> str:
    lines = [["source", "motion", "kbit/s", "input, dB", *results.networks, _BEST]]
    for setting in _coded(results):
        lines.append(
            [
                setting.source,
                setting.motion,
                str(setting.rate),
                _format(setting.rows[INPUT]["psnr"], ".2f"),
                *(_format(setting.gain(name), "+.2f") for name in results.networks),
                _format(setting.best_mask, "+.2f"),
            ]
        )
    return text.table(lines, words=2)


def _coded(results: CallResults) -> list[Setting]:
    """The settings that are encoded."""
    return [setting for setting in results.settings if setting.rate]


def _columns(results: CallResults) -> dict[str, Callable[[SummaryRow], str]]:
    count = sum(setting.source != TEXT for setting in results.settings)

    def gain(measure: str, form: str) -> Callable[[SummaryRow], str]:
        return lambda row: (
            "" if row.name == INPUT else _format(row.gains[measure], form)
        )

    def but_input(cell: Callable[[SummaryRow], str]) -> Callable[[SummaryRow], str]:
        return lambda row: "" if row.name == INPUT else cell(row)

    return {
        "parameters": lambda row: f"{row.parameters:,}" if row.parameters else "",
        "gain, dB": gain("psnr", "+.2f"),
        "worst, dB": but_input(lambda row: _format(row.worst, "+.2f")),
        "in": but_input(lambda row: row.worst_at),
        f"beats unsharp, of {count}": but_input(lambda row: str(row.beats)),
        "SSIM": gain("ssim", "+.4f"),
        "VMAF": gain("vmaf", "+.1f"),
        "VMAF-NEG": gain("vmaf_neg", "+.1f"),
        "sharpness": lambda row: _format(row.sharpness, ".2f"),
        "blocking": lambda row: _format(row.blocking, ".2f"),
        "flicker still": but_input(lambda row: _format(row.flicker_still, ".2f")),
        "flicker pan": but_input(lambda row: _format(row.flicker_pan, ".2f")),
        "ms a frame": lambda row: _format(row.milliseconds, ".1f"),
    }


def _format(value: float | None, form: str) -> str:
    return "" if value is None else f"{value:{form}}"


def _markdown(results: CallResults) -> str:
    lines = ["# Calls", ""]
    for table in tables(results):
        lines += [table, ""]
    lines += [f"- {note}" for note in notes(results)]
    lines += ["", "![gain over rate](gains.png)"]
    if results.left_out:
        lines += ["", "Left out:", ""]
        lines += [f"- {name}: {why}" for name, why in results.left_out.items()]
    return "\n".join(lines) + "\n"


def _cells(results: CallResults) -> list[dict]:
    names = {identity: name for name, identity in results.identities.items()}
    return [
        {
            "clip": cell.clip.name,
            "width": cell.clip.size[0],
            "height": cell.clip.size[1],
            "motion": cell.clip.motion,
            "source": cell.source,
            "rate": cell.rate,
            "bits": cell.bits,
            "codec": cell.codec,
            "rows": {names[i]: row for i, row in rows.items() if i in names},
        }
        for cell, rows in results.judged
    ]


def _csv(results: CallResults) -> str:
    cells = _cells(results)
    measures = list(
        dict.fromkeys(m for cell in cells for row in cell["rows"].values() for m in row)
    )
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    heads = [head for head in cells[0] if head != "rows"]
    writer.writerow([*heads, "restorer", *measures])
    for cell in cells:
        for name in results.identities:
            row = cell["rows"][name]
            values = ["" if row.get(m) is None else row[m] for m in measures]
            writer.writerow([*(cell[head] for head in heads), name, *values])
    return written.getvalue()


def _json(results: CallResults) -> str:
    content = {
        "kind": "calls",
        "ladder": dataclasses.asdict(results.ladder),
        "backend": results.backend,
        "dtype": results.dtype,
        "rows": {row.name: _without_name(row) for row in results.rows},
        "settings": [
            {
                "source": setting.source,
                "motion": setting.motion,
                "rate": setting.rate,
                "best_mask": setting.best_mask,
                "gain": {name: setting.gain(name) for name in results.names},
                "rows": setting.rows,
            }
            for setting in results.settings
        ],
        "text": results.texts,
        "cells": _cells(results),
        "left_out": results.left_out,
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def _without_name(row: SummaryRow) -> dict:
    return {
        key: value for key, value in dataclasses.asdict(row).items() if key != "name"
    }
