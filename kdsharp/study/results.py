"""Evaluates the ratings of a study."""

import dataclasses
from pathlib import Path

import numpy as np

from kdsharp.study import order, plan, screening, statistics
from kdsharp.study.answers import Answers


@dataclasses.dataclass(frozen=True)
class ResultRow:
    """One rating."""

    rater: int
    content: str
    model: str
    scale: str
    score: int
    training: bool
    again: bool


@dataclasses.dataclass(frozen=True)
class Scale:
    """The results of one scale."""

    means: dict[str, statistics.RaterMean]
    differences: dict[str, statistics.RaterMean]
    pairs: list[statistics.ComparedModels]
    left_out: list[int]


@dataclasses.dataclass(frozen=True)
class Results:
    """The results of a study; `repeats` are the score pairs of repeated pictures."""

    study: plan.Study
    synthetic: bool
    raters: int
    rows: list[ResultRow]
    scales: dict[str, Scale]
    repeats: list[tuple[int, int]]


def of(folder: Path) -> Results:
    """Evaluates the ratings by people or, if there are none, synthetic ones."""
    study = plan.load(folder)
    kept = Answers(folder)
    raters = kept.raters()
    synthetic = bool(raters) and all(raters.values())
    rows: list[ResultRow] = []
    count = 0
    for token, played in raters.items():
        given = kept.of_rater(token)
        if played != synthetic or not given:
            continue
        trials = order.trials(study, token)
        rows += [_row(count, trials[answer.trial], answer) for answer in given]
        count += 1
    kept.close()
    scales = {name: _scale(study, rows, name, count) for name in order.SCALES}
    return Results(study, synthetic, count, rows, scales, _repeats(rows))


def _row(rater: int, trial: order.Showing, answer) -> ResultRow:
    shown = trial.stimulus
    return ResultRow(
        rater,
        shown.content,
        shown.model,
        answer.scale,
        answer.score,
        shown.training,
        trial.again,
    )


def _scale(study: plan.Study, rows: list[ResultRow], scale: str, raters: int) -> Scale:
    shown = [(s.content, s.model) for s in study.stimuli if not s.training]
    place = {key: column for column, key in enumerate(shown)}
    scores = np.full((raters, len(shown)), np.nan)
    for row in rows:
        if row.scale == scale and not row.training and not row.again:
            scores[row.rater, place[row.content, row.model]] = row.score
    # Pictures without ratings have no mean.
    answered = ~np.isnan(scores).all(0)
    left_out = screening.rejected(scores[:, answered]) if answered.any() else []
    scores = np.delete(scores, left_out, 0)
    by_model = {
        model: scores[:, [place[key] for key in shown if key[1] == model]]
        for model in study.models
    }
    of_raters = {model: _of_raters(table) for model, table in by_model.items()}
    reference = by_model.get(plan.REFERENCE)
    return Scale(
        means={model: statistics.mean(x) for model, x in of_raters.items()},
        # Pictures have the same order for every model.
        differences={}
        if reference is None
        else {
            model: statistics.mean(_of_raters(table - reference))
            for model, table in by_model.items()
            if model != plan.REFERENCE
        },
        pairs=statistics.pairs(of_raters),
        left_out=left_out,
    )


def _of_raters(table: np.ndarray) -> np.ndarray:
    """The mean of each row, ignoring NaN."""
    count = (~np.isnan(table)).sum(1)
    total = np.nansum(table, 1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _repeats(rows: list[ResultRow]) -> list[tuple[int, int]]:
    first = {
        (row.rater, row.content, row.model, row.scale): row.score
        for row in rows
        if not row.again and not row.training
    }
    keys = [
        ((row.rater, row.content, row.model, row.scale), row.score)
        for row in rows
        if row.again
    ]
    return [(first[key], score) for key, score in keys if key in first]
