"""What training minimises: named terms, summed with the weights a config gives them.

A term is a function of one `Outcome`. To add a loss: write it, enter it in `TERMS`.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from kdsharp.errors import UserError


class Outcome(NamedTuple):
    """A batch and what the networks made of it."""

    sharp: Float[Array, "b h w c"]
    blurred: Float[Array, "b h w c"]
    residual: Float[Array, "b h w c"]
    teacher_residual: Float[Array, "b h w c"] | None = None

    @property
    def restored(self) -> Float[Array, "b h w c"]:
        return self.blurred + self.residual


Term = Callable[[Outcome], Float[Array, ""]]


def mse(outcome: Outcome) -> Float[Array, ""]:
    """Returns the mean squared error to the sharp picture."""
    return jnp.mean(jnp.square(outcome.restored - outcome.sharp))


def residual_kd(outcome: Outcome) -> Float[Array, ""]:
    """Returns the mean squared error to the teacher's residual."""
    return jnp.mean(jnp.square(outcome.residual - outcome.teacher_residual))


TERMS: dict[str, Term] = {"mse": mse, "residual_kd": residual_kd}

# Terms that ask for a teacher.
OF_TEACHER = frozenset({"residual_kd"})


def create(
    weights: Mapping[str, float], has_teacher: bool = True
) -> Callable[[Outcome], tuple[Float[Array, ""], dict[str, Float[Array, ""]]]]:
    """Returns a function to the weighted sum of terms and to each term, unweighted."""
    weights = {name: weight for name, weight in weights.items() if weight}
    unknown = sorted(set(weights) - set(TERMS))
    if unknown:
        raise UserError(
            f"unknown loss term {unknown[0]!r}; there are: {', '.join(TERMS)}"
        )
    if not weights:
        raise UserError(f"the objective has no term; there are: {', '.join(TERMS)}")

    if not has_teacher and (asking := OF_TEACHER & set(weights)):
        raise UserError(f"loss term {min(asking)!r} needs config.teacher.weights")

    def objective(outcome: Outcome):
        terms = {name: TERMS[name](outcome) for name in weights}
        return sum(weights[name] * term for name, term in terms.items()), terms

    return objective
