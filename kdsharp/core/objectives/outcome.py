"""What loss terms are functions of."""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Array, Float

Feature = Float[Array, "b h w f"]


class Outcome(NamedTuple):
    """A batch and what the student made of it."""

    sharp: Float[Array, "b h w c"]
    blurred: Float[Array, "b h w c"]
    residual: Float[Array, "b h w c"]
    # The layers that `config.features` names.
    features: tuple[Feature, ...] = ()
    # The residuals of the batch's other views, turned back: see `core/views.py`.
    views: tuple[Float[Array, "b H W c"], ...] = ()
    # What VGG16 sees in a picture.
    perceive: Callable[[Float[Array, "b h w c"]], Feature] | None = None

    @property
    def restored(self) -> Float[Array, "b h w c"]:
        return self.blurred + self.residual


class Lesson(NamedTuple):
    """What one teacher makes of the same batch."""

    residual: Float[Array, "b h w c"]
    # Of the teacher's layers; and of the student's, as an adapter shows them to it.
    features: tuple[Feature, ...] = ()
    adapted: tuple[Feature, ...] = ()
    views: tuple[Float[Array, "b H W c"], ...] = ()
