"""The order in which each rater sees the pictures, drawn from the rater's token."""

import dataclasses
import hashlib
import itertools

import numpy as np

from kdsharp.study.plan import Stimulus, Study

SCALES = {
    "sharpness": ("very blurred", "blurred", "fair", "sharp", "very sharp"),
    "realism": ("artificial", "rather artificial", "fair", "natural", "very natural"),
    # The wording of ITU-T P.910.
    "overall": ("bad", "poor", "fair", "good", "excellent"),
}
_TRIES = 200


@dataclasses.dataclass(frozen=True)
class Showing:
    """One presentation of a picture; `again` marks the second one."""

    number: int
    stimulus: Stimulus
    again: bool


def trials(study: Study, token: str) -> list[Showing]:
    """The trials of a rater: training pictures first, then all others shuffled.

    The same photograph is not shown twice in a row if avoidable, and repeated pictures
    are shown once in each half.
    """
    digest = hashlib.sha256(f"{study.seed} {token}".encode()).digest()
    random = np.random.default_rng(list(digest))
    training = [s for s in study.stimuli if s.training]
    rated = [s for s in study.stimuli if not s.training]
    learned = [(training[n], False) for n in random.permutation(len(training))]
    orders = (_mixed(study, rated, random) for _ in range(_TRIES))
    best = min(orders, key=_neighbours)
    return [Showing(n, s, again) for n, (s, again) in enumerate(learned + best)]


def _mixed(study: Study, rated: list[Stimulus], random) -> list[tuple[Stimulus, bool]]:
    mixed = [rated[n] for n in random.permutation(len(rated))]
    # Some pictures of the first half are repeated in the second.
    half = max(len(mixed) // 2, study.repeats)
    second = [(stimulus, False) for stimulus in mixed[half:]]
    second += [(stimulus, True) for stimulus in mixed[: study.repeats]]
    first = [(mixed[n], False) for n in random.permutation(half)]
    return first + [second[n] for n in random.permutation(len(second))]


def _neighbours(order: list[tuple[Stimulus, bool]]) -> int:
    pairs = itertools.pairwise(order)
    return sum(a.content == b.content for (a, _), (b, _) in pairs)
