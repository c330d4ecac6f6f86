"""Synthetic raters, to try a study and its report; nobody's opinion."""

import zlib
from pathlib import Path

import numpy as np

from kdsharp.errors import UserError
from kdsharp.study import order, plan
from kdsharp.study.answers import Answer, Answers


def play(
    folder: Path,
    count: int,
    *,
    truth: dict[str, float] | None = None,
    careless: int = 0,
    seed: int = 0,
) -> dict[str, float]:
    """Adds raters who follow true scores, and careless ones who rate at random.

    The true scores are one mean per model, drawn at random unless given, and returned.
    The same seed gives a new study the same ratings.
    """
    study = plan.load(folder)
    if truth is None:
        random = np.random.default_rng(seed)
        means = np.sort(random.uniform(1.8, 4.4, len(study.models)))
        truth = dict(zip(study.models, means.tolist(), strict=True))
    kept = Answers(folder)
    before = kept.raters()
    if not all(before.values()):
        kept.close()
        raise UserError(f"{folder} holds ratings by people: give another study")
    random = np.random.default_rng([seed, len(before)])
    for number in range(count + careless):
        token = kept.add_rater(synthetic_token=f"played-{seed}-{len(before) + number}")
        own = random.normal(0, 0.3)
        given = []
        for trial in order.trials(study, token):
            of_picture = zlib.crc32(trial.stimulus.content.encode()) % 5 / 10 - 0.2
            for scale in order.SCALES:
                if number < count:
                    mean = truth[trial.stimulus.model] + of_picture + own
                    score = round(mean + random.normal(0, 0.6))
                else:
                    score = random.integers(1, 6)
                answer = Answer(token, trial.number, scale, int(np.clip(score, 1, 5)))
                given.append(answer)
        kept.save(*given)
    kept.close()
    return truth
