"""Training losses: weighted sums of named terms.

`create` turns `{'residual_kd': 1.0, 'mse': 0.5}` into a function of an `Outcome`, the
student's result on a batch, and of `Lesson`s, the teachers' results on it. Each
distance to the sharp picture (`mse`, `l1`, ...) has a counterpart to the teacher's
picture, `NAME_kd`, except that of `mse`, which is called `residual_kd`.

To add a loss, write a function in `distances`, `comparisons` or `lessons`, add it to
the table at the end of that file, and declare with `@needs` what it needs besides the
batch.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

import jax.numpy as jnp
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
    """A loss of the outcome and, if it needs a teacher, of a lesson."""

    loss: Callable[..., Loss]
    needs: frozenset[str] = frozenset()


def _distance_terms(name: str, distance: Distance) -> dict[str, Term]:
    """The two terms of a distance: to the sharp picture, and to a teacher's picture."""
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
    terms = {}
    for name, distance in DISTANCES.items():
        terms |= _distance_terms(name, distance)
    for name, comparison in COMPARISONS.items():
        terms[name] = Term(comparison, needs.of(comparison))
    for name, lesson in LESSONS.items():
        terms[name] = Term(lesson, needs.of(lesson) | {"teacher"})
    return dict(sorted(terms.items(), key=lambda item: "teacher" in item[1].needs))


TERMS = _all_terms()


def create(weights: Mapping[str, float], shares: Sequence[float] = ()) -> Objective:
    """Builds a function that returns the weighted sum, and each term unweighted.

    `shares` holds the weight of each teacher in the distillation terms.
    """
    weights = in_use(weights)
    if not weights:
        raise UserError(f"the objective has no term; choose one of: {', '.join(TERMS)}")
    if not shares and (named := needing("teacher", weights)):
        raise UserError(f"loss term {named[0]!r} needs config.teacher.weights")

    def objective(
        outcome: Outcome, lessons: Sequence[Lesson] = ()
    ) -> tuple[Loss, dict[str, Loss]]:
        terms: dict[str, Loss] = {}
        for name in weights:
            term = TERMS[name]
            if "teacher" in term.needs:
                terms[name] = _sum(
                    share * term.loss(outcome, lesson)
                    for share, lesson in zip(shares, lessons, strict=True)
                )
            else:
                terms[name] = term.loss(outcome)
        return _sum(weights[name] * term for name, term in terms.items()), terms

    return objective


def _sum(losses: Iterable[Loss]) -> Loss:
    return jnp.asarray(sum(losses))


def in_use(weights: Mapping[str, float]) -> dict[str, float]:
    """Drops terms of weight 0; raises an error for unknown terms."""
    weights = {name: weight for name, weight in weights.items() if weight}
    for name, weight in weights.items():
        if not isinstance(weight, int | float):
            raise UserError(
                f"loss term {name!r} has weight {weight!r}, which is not a number"
            )
    if unknown := sorted(set(weights) - set(TERMS)):
        raise choices.unknown("loss term", unknown[0], TERMS)
    return weights


def needing(need: str, names: Iterable[str] = TERMS) -> list[str]:
    """Lists the terms that need `need`, one of `needs.NEEDS`, sorted by name."""
    return sorted(name for name in names if need in TERMS[name].needs)
