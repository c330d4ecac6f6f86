"""Averages the scores of cells by setting, and of restorers over all settings.

A setting is a source, a rate and a motion. Its scores are means over clips and codecs;
those of a restorer are means over settings.
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
    """The scores of restorers by name, for one source, rate and motion."""

    source: str
    rate: int
    motion: str
    rows: Mapping[str, Mapping[str, float | None]]

    def gain(self, name: str, measure: str = "psnr") -> float | None:
        """The gain of a restorer over the decoded frame."""
        own, base = (self.rows[row].get(measure) for row in (name, INPUT))
        return None if own is None or base is None else own - base

    def psnr_gain(self, name: str) -> float:
        """What the restorer gains in PSNR, which is always measured."""
        gain = self.gain(name)
        assert gain is not None
        return gain

    @property
    def best_mask(self) -> float:
        """The gain of the best unsharp mask."""
        return max(self.psnr_gain(mask) for mask in MASKS if mask in self.rows)


@dataclasses.dataclass(frozen=True)
class SummaryRow:
    """The means of a restorer over all settings.

    Flicker is relative to that of the decoded frames; `beats` counts the settings with
    more gain than the best unsharp mask.
    """

    name: str
    parameters: int | None
    gains: Mapping[str, float | None]
    worst: float | None
    worst_at: str
    beats: int
    sharpness: float | None
    blocking: float | None
    flicker_still: float | None
    flicker_pan: float | None
    milliseconds: float | None


def settings(judged: Judged, restorers: Sequence[ClipRestorer]) -> list[Setting]:
    """Averages cells by setting, sorted by source, motion and rate."""
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
            source,
            rate,
            motion,
            {
                r.name: _mean([x[r.identity] for x in groups[source, rate, motion]])
                for r in restorers
            },
        )
        for source, rate, motion in sorted(groups, key=place)
    ]


def rows(
    settings: Sequence[Setting],
    restorers: Sequence[ClipRestorer],
    milliseconds: Mapping[str, float],
) -> list[SummaryRow]:
    """Averages every restorer over the settings, without text."""
    settings = [setting for setting in settings if setting.source != TEXT]
    return [_row(settings, r, milliseconds.get(r.name)) for r in restorers if settings]


def text_rows(
    judged: Judged, restorers: Sequence[ClipRestorer]
) -> dict[str, dict[str, float | None]]:
    """Scores of each restorer on text: PSNR `to_itself` uncoded, and `gain` coded."""
    uncoded = [rows for cell, rows in judged if cell.codec == UNCODED]
    coded = [
        rows for cell, rows in judged if cell.source == TEXT and cell.codec != UNCODED
    ]
    (base,) = (r.identity for r in restorers if r.name == INPUT)
    return {
        r.name: {
            "to_itself": _mean_of([x[r.identity]["psnr"] for x in uncoded]),
            "gain": _mean_of([x[r.identity]["psnr"] - x[base]["psnr"] for x in coded]),
        }
        for r in restorers
        if uncoded or coded
    }


def _row(
    settings: Sequence[Setting], restorer: ClipRestorer, milliseconds
) -> SummaryRow:
    name = restorer.name
    worst = min(settings, key=lambda setting: setting.psnr_gain(name))
    return SummaryRow(
        name=name,
        parameters=restorer.parameters,
        gains={
            m: _mean_of([setting.gain(name, m) for setting in settings], all_known=True)
            for m in GAINS
        },
        worst=worst.gain(name),
        worst_at=f"{worst.source}, {worst.motion}, {worst.rate}",
        beats=sum(setting.psnr_gain(name) > setting.best_mask for setting in settings),
        sharpness=_mean_of([setting.rows[name]["sharpness"] for setting in settings]),
        blocking=_mean_of([setting.rows[name]["blocking"] for setting in settings]),
        flicker_still=_ratio(settings, name, STILL, "flicker_still"),
        flicker_pan=_ratio(settings, name, PAN, "flicker"),
        milliseconds=milliseconds,
    )


def _ratio(settings, name: str, motion: str, measure: str) -> float | None:
    """The ratio to the input's mean, over the settings of one motion."""
    rows = [setting.rows for setting in settings if setting.motion == motion]
    own, base = (_mean_of([row[n][measure] for row in rows]) for n in (name, INPUT))
    return own / base if own is not None and base else None


def _mean(rows: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {
        name: _mean_of([row.get(name) for row in rows], all_known=name in GAINS)
        for name in names
    }


def _mean_of(
    values: Sequence[float | None], *, all_known: bool = False
) -> float | None:
    """The mean of the known values; None if none is known (`all_known`: if not all)."""
    known = [value for value in values if value is not None]
    if not known or (all_known and len(known) < len(values)):
        return None
    return float(np.mean(known))
