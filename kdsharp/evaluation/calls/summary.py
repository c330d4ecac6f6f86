"""What cells say together: each setting, and each restorer over all of them.

A setting is a source, a rate and a motion. Its numbers are means over its clips and
codecs; those of a restorer are means over settings.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from kdsharp.evaluation.calls.clips import MOTIONS, PAN, STILL
from kdsharp.evaluation.calls.judging import ClipRestorer
from kdsharp.evaluation.calls.ladder import SOURCES, TEXT, UNCODED, Cell
from kdsharp.evaluation.calls.restorers import AMOUNTS, Unsharp
from kdsharp.evaluation.calls.store import Rows
from kdsharp.evaluation.quality.restorers import INPUT

GAINS = ("psnr", "ssim", "vmaf", "vmaf_neg")
MASKS = tuple(Unsharp(amount).name for amount in AMOUNTS)

Judged = Sequence[tuple[Cell, Rows]]


@dataclasses.dataclass(frozen=True)
class Setting:
    """Measures of restorers by name, under one source, rate and motion."""

    source: str
    rate: int
    motion: str
    rows: Mapping[str, Mapping[str, float | None]]

    def gain(self, name: str, measure: str = "psnr") -> float | None:
        """What the restorer gains over the decoded frame."""
        own, base = (self.rows[row].get(measure) for row in (name, INPUT))
        return None if own is None or base is None else own - base

    @property
    def best_mask(self) -> float | None:
        """What the best unsharp mask gains."""
        gains = [self.gain(mask) for mask in MASKS if mask in self.rows]
        return max(gains, default=None)


@dataclasses.dataclass(frozen=True)
class SummaryRow:
    """A restorer over all settings.

    Flicker is a ratio to the decoded frames'; `beats` counts settings in which it gains
    more than the best unsharp mask.
    """

    name: str
    parameters: int | None
    gains: Mapping[str, float | None]
    worst: float | None
    worst_at: str
    beats: int
    sharpness: float
    blocking: float
    flicker_still: float | None
    flicker_pan: float | None
    milliseconds: float | None


def settings(judged: Judged, restorers: Sequence[ClipRestorer]) -> list[Setting]:
    """Every setting, in the order of sources, motions and rates."""
    groups: dict[tuple, list[Rows]] = {}
    for cell, rows in judged:
        key = (cell.source, cell.rate, cell.clip.motion)
        groups.setdefault(key, []).append(rows)
    order = (*SOURCES, TEXT)

    def place(key: tuple) -> tuple:
        source, rate, motion = key
        return order.index(source), MOTIONS.index(motion), rate

    return [
        Setting(
            *key,
            {r.name: _mean([x[r.identity] for x in groups[key]]) for r in restorers},
        )
        for key in sorted(groups, key=place)
    ]


def rows(
    found: Sequence[Setting],
    restorers: Sequence[ClipRestorer],
    milliseconds: Mapping[str, float],
) -> list[SummaryRow]:
    """Every restorer over the settings, of which text is none."""
    found = [setting for setting in found if setting.source != TEXT]
    return [_row(found, r, milliseconds.get(r.name)) for r in restorers if found]


def text_rows(
    judged: Judged, restorers: Sequence[ClipRestorer]
) -> dict[str, dict[str, float | None]]:
    """Of each restorer on pages: `to_itself`, and its `gain` where they are coded."""
    uncoded = [rows for cell, rows in judged if cell.codec == UNCODED]
    coded = [
        rows for cell, rows in judged if cell.source == TEXT and cell.codec != UNCODED
    ]
    (base,) = (r.identity for r in restorers if r.name == INPUT)
    return {
        r.name: {
            "to_itself": _of([x[r.identity]["psnr"] for x in uncoded]),
            "gain": _of([x[r.identity]["psnr"] - x[base]["psnr"] for x in coded]),
        }
        for r in restorers
        if uncoded or coded
    }


def _row(found: Sequence[Setting], restorer: ClipRestorer, milliseconds) -> SummaryRow:
    name = restorer.name
    worst = min(found, key=lambda setting: setting.gain(name))
    return SummaryRow(
        name=name,
        parameters=restorer.parameters,
        gains={
            m: _of([setting.gain(name, m) for setting in found], whole=True)
            for m in GAINS
        },
        worst=worst.gain(name),
        worst_at=f"{worst.source}, {worst.motion}, {worst.rate}",
        beats=sum(setting.gain(name) > setting.best_mask for setting in found),
        sharpness=_of([setting.rows[name]["sharpness"] for setting in found]),
        blocking=_of([setting.rows[name]["blocking"] for setting in found]),
        flicker_still=_ratio(found, name, STILL, "flicker_still"),
        flicker_pan=_ratio(found, name, PAN, "flicker"),
        milliseconds=milliseconds,
    )


def _ratio(found, name: str, motion: str, measure: str) -> float | None:
    """The ratio of means over the settings of that motion."""
    rows = [setting.rows for setting in found if setting.motion == motion]
    own, base = (_of([row[n][measure] for row in rows]) for n in (name, INPUT))
    return own / base if own is not None and base else None


def _mean(rows: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {
        name: _of([row.get(name) for row in rows], whole=name in GAINS)
        for name in names
    }


def _of(values: Sequence[float | None], *, whole: bool = False) -> float | None:
    """The mean of what is known; None where nothing is, or if `whole`, not all."""
    known = [value for value in values if value is not None]
    if not known or (whole and len(known) < len(values)):
        return None
    return float(np.mean(known))
