"""What training minimises: named terms, summed with the weights a config gives them.

`create` turns `{'residual_kd': 1.0, 'mse': 0.5}` into a function of an `Outcome`, what
the student made of a batch, and of `Lesson`s, what each teacher makes of it. A
distance to the truth (`mse`, `l1`, ...) has a twin to the teacher's picture, `NAME_kd`;
only that of `mse` is called `residual_kd`. To add a loss: write it in `distances` or
`lessons`, and enter it in the table there.
"""

from collections.abc import Callable, Mapping, Sequence

from jaxtyping import Array, Float

from kdsharp.base import choices
from kdsharp.core.objectives.distances import DISTANCES, perceptual
from kdsharp.core.objectives.lessons import LESSONS
from kdsharp.core.objectives.outcome import Lesson, Outcome
from kdsharp.errors import UserError

__all__ = ["ASKING_FOR_VGG", "OF_TEACHER", "TERMS", "Lesson", "Outcome", "create"]

Loss = Float[Array, ""]
Objective = Callable[[Outcome, Sequence[Lesson]], tuple[Loss, dict[str, Loss]]]

_PERCEPTUAL = "perceptual"
_TO_TRUTH = (*DISTANCES, _PERCEPTUAL)
_TO_TEACHER = {
    "residual_kd" if name == "mse" else f"{name}_kd": name for name in _TO_TRUTH
}

# Terms that ask for a teacher, for VGG16; and all there are.
OF_TEACHER = frozenset({*_TO_TEACHER, *LESSONS})
ASKING_FOR_VGG = frozenset({_PERCEPTUAL, f"{_PERCEPTUAL}_kd"})
TERMS = (*_TO_TRUTH, *_TO_TEACHER, *LESSONS)


def create(weights: Mapping[str, float], shares: Sequence[float] = ()) -> Objective:
    """Returns a function to the weighted sum of terms and to each term, unweighted.

    There is one of `shares` for each teacher: its part in every term of a teacher.
    """
    weights = in_use(weights)
    if not weights:
        raise UserError(f"the objective has no term; choose one of: {', '.join(TERMS)}")
    if not shares and (asking := OF_TEACHER & set(weights)):
        raise UserError(f"loss term {min(asking)!r} needs config.teacher.weights")

    def objective(outcome: Outcome, lessons: Sequence[Lesson] = ()):
        terms = {}
        for name in weights:
            if name in OF_TEACHER:
                terms[name] = sum(
                    share * _of_teacher(name, outcome, lesson)
                    for share, lesson in zip(shares, lessons, strict=True)
                )
            else:
                terms[name] = _distance(name, outcome, outcome.sharp)
        return sum(weights[name] * term for name, term in terms.items()), terms

    return objective


def in_use(weights: Mapping[str, float]) -> dict[str, float]:
    """Returns the terms that a config switches on, all of them known."""
    weights = {name: weight for name, weight in weights.items() if weight}
    for name, weight in weights.items():
        if not isinstance(weight, int | float):
            raise UserError(f"loss term {name!r} has the weight {weight!r}, no number")
    if unknown := sorted(set(weights) - set(TERMS)):
        raise choices.unknown("loss term", unknown[0], TERMS)
    return weights


def _of_teacher(name: str, outcome: Outcome, lesson: Lesson) -> Loss:
    if name in LESSONS:
        return LESSONS[name](outcome, lesson)
    return _distance(_TO_TEACHER[name], outcome, outcome.blurred + lesson.residual)


def _distance(name: str, outcome: Outcome, target: Float[Array, "b h w c"]) -> Loss:
    if name == _PERCEPTUAL:
        return perceptual(outcome.perceive, outcome.restored, target)
    return DISTANCES[name](outcome.restored, target)
