"""Who sees what when: an order of each rater's own, drawn from the rater's token."""

import dataclasses
import hashlib
import itertools

import numpy as np

from kdsharp.study.plan import Stimulus, Study

SCALES = {
    "sharpness": ("very blurred", "blurred", "fair", "sharp", "very sharp"),
    "realism": ("artificial", "rather artificial", "fair", "natural", "very natural"),
    # As ITU-T P.910 words them.
    "overall": ("bad", "poor", "fair", "good", "excellent"),
}
_TRIES = 200


@dataclasses.dataclass(frozen=True)
class Showing:
    """One showing; `again` marks the second of the same picture."""

    number: int
    stimulus: Stimulus
    again: bool


def trials(study: Study, token: str) -> list[Showing]:
    """Returns what a rater sees: what to learn by first, then all the rest mixed.

    The same photograph does not follow itself if that can be helped, and what is shown
    twice is shown once in each half.
    """
    told = hashlib.sha256(f"{study.seed} {token}".encode()).digest()
    random = np.random.default_rng(list(told))
    training = [s for s in study.stimuli if s.training]
    rated = [s for s in study.stimuli if not s.training]
    learned = [(training[n], False) for n in random.permutation(len(training))]
    orders = (_mixed(study, rated, random) for _ in range(_TRIES))
    best = min(orders, key=_neighbours)
    return [Showing(n, s, again) for n, (s, again) in enumerate(learned + best)]


def _mixed(study: Study, rated: list[Stimulus], random) -> list[tuple[Stimulus, bool]]:
    mixed = [rated[n] for n in random.permutation(len(rated))]
    # Some of the first half come again among the second.
    half = max(len(mixed) // 2, study.repeats)
    second = [(stimulus, False) for stimulus in mixed[half:]]
    second += [(stimulus, True) for stimulus in mixed[: study.repeats]]
    first = [(mixed[n], False) for n in random.permutation(half)]
    return first + [second[n] for n in random.permutation(len(second))]


def _neighbours(order: list[tuple[Stimulus, bool]]) -> int:
    pairs = itertools.pairwise(order)
    return sum(a.content == b.content for (a, _), (b, _) in pairs)
