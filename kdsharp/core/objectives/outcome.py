"""The arguments of a loss term: the student's outcome and a teacher's lesson."""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Array, Float

Feature = Float[Array, "b h w f"]


class Outcome(NamedTuple):
    """A batch and the student's result on it."""

    sharp: Float[Array, "b h w c"]
    blurred: Float[Array, "b h w c"]
    residual: Float[Array, "b h w c"]
    # The layers that `config.features` names.
    features: tuple[Feature, ...] = ()
    # Residuals of the batch's other views, turned back: see `core/views.py`.
    views: tuple[Float[Array, "b H W c"], ...] = ()
    # VGG16's features of a picture.
    perceive: Callable[[Float[Array, "b h w c"]], Feature] | None = None

    @property
    def restored(self) -> Float[Array, "b h w c"]:
        return self.blurred + self.residual


class Lesson(NamedTuple):
    """One teacher's result on the same batch."""

    residual: Float[Array, "b h w c"]
    # The teacher's layers, and the student's as an adapter maps them to the teacher's.
    features: tuple[Feature, ...] = ()
    adapted: tuple[Feature, ...] = ()
    views: tuple[Float[Array, "b H W c"], ...] = ()
