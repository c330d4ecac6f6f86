"""Training losses: named terms, summed with the weights that a config gives them.

`create` turns `{'residual_kd': 1.0, 'mse': 0.5}` into a function of an `Outcome`, the
student's result on a batch, and of `Lesson`s, each teacher's result on it. A distance
to the truth (`mse`, `l1`, ...) has a twin to the teacher's picture, `NAME_kd`; the twin
of `mse` alone is called `residual_kd`.

To add a loss, write a function in `distances`, `comparisons` or `lessons` and enter it
in the table at the end of that file. What it needs beside the batch it declares there
by `@needs`.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

from jaxtyping import Array, Float

from kdsharp.base import choices
from kdsharp.core.objectives import needs
from kdsharp.core.objectives.comparisons import COMPARISONS
from kdsharp.core.objectives.distances import DISTANCES, Distance
from kdsharp.core.objectives.lessons import LESSONS
from kdsharp.core.objectives.outcome import Lesson, Outcome
from kdsharp.errors import UserError

__all__ = ["TERMS", "Lesson", "Outcome", "create", "in_use", "needing"]

Loss = Float[Array, ""]
Objective = Callable[[Outcome, Sequence[Lesson]], tuple[Loss, dict[str, Loss]]]


@dataclasses.dataclass(frozen=True)
class Term:
    """A loss of the student's outcome and of each teacher's lesson, if it needs one."""

    loss: Callable[..., Loss]
    needs: frozenset[str] = frozenset()


def _distance_terms(name: str, distance: Distance) -> dict[str, Term]:
    """The two terms of a distance: to the truth, and to a teacher's picture."""
    needed = needs.of(distance)

    def measure(outcome: Outcome, target: Float[Array, "b h w c"]) -> Loss:
        more = {"perceive": outcome.perceive} if "vgg" in needed else {}
        return distance(outcome.restored, target, **more)

    return {
        name: Term(lambda outcome: measure(outcome, outcome.sharp), needed),
        "residual_kd" if name == "mse" else f"{name}_kd": Term(
            lambda outcome, lesson: measure(outcome, outcome.blurred + lesson.residual),
            needed | {"teacher"},
        ),
    }


def _all_terms() -> dict[str, Term]:
    found = {}
    for name, distance in DISTANCES.items():
        found |= _distance_terms(name, distance)
    for name, comparison in COMPARISONS.items():
        found[name] = Term(comparison, needs.of(comparison))
    for name, lesson in LESSONS.items():
        found[name] = Term(lesson, needs.of(lesson) | {"teacher"})
    return dict(sorted(found.items(), key=lambda item: "teacher" in item[1].needs))


TERMS = _all_terms()


def create(weights: Mapping[str, float], shares: Sequence[float] = ()) -> Objective:
    """Build the function that gives the weighted sum and each term, unweighted.

    `shares` holds a number for each teacher: its part in every term of a teacher.
    """
    weights = in_use(weights)
    if not weights:
        raise UserError(f"the objective has no term; choose one of: {', '.join(TERMS)}")
    if not shares and (named := needing("teacher", weights)):
        raise UserError(f"loss term {named[0]!r} needs config.teacher.weights")

    def objective(outcome: Outcome, lessons: Sequence[Lesson] = ()):
        terms = {}
        for name in weights:
            term = TERMS[name]
            if "teacher" in term.needs:
                terms[name] = sum(
                    share * term.loss(outcome, lesson)
                    for share, lesson in zip(shares, lessons, strict=True)
                )
            else:
                terms[name] = term.loss(outcome)
        return sum(weights[name] * term for name, term in terms.items()), terms

    return objective


def in_use(weights: Mapping[str, float]) -> dict[str, float]:
    """The terms with a weight other than 0, all of them known."""
    weights = {name: weight for name, weight in weights.items() if weight}
    for name, weight in weights.items():
        if not isinstance(weight, int | float):
            raise UserError(f"loss term {name!r} has the weight {weight!r}, no number")
    if unknown := sorted(set(weights) - set(TERMS)):
        raise choices.unknown("loss term", unknown[0], TERMS)
    return weights


def needing(need: str, names: Iterable[str] = TERMS) -> list[str]:
    """Those of the terms, in alphabetical order, that need it: see `needs.NEEDS`."""
    return sorted(name for name in names if need in TERMS[name].needs)
