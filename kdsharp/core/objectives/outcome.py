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
    # Of the layers in `config.features`.
    features: tuple[Feature, ...] = ()
    # Residuals on augmented views, transformed back: see `core/views.py`.
    views: tuple[Float[Array, "b H W c"], ...] = ()
    # Computes VGG16's features.
    perceive: Callable[[Float[Array, "b h w c"]], Feature] | None = None
    # Each window's frames follow one another in the batch.
    frames: int = 1

    @property
    def restored(self) -> Float[Array, "b h w c"]:
        return self.blurred + self.residual


class Lesson(NamedTuple):
    """One teacher's result on the same batch."""

    residual: Float[Array, "b h w c"]
    # The teacher's features, and the student's, mapped to them by the adapters.
    features: tuple[Feature, ...] = ()
    adapted: tuple[Feature, ...] = ()
    views: tuple[Float[Array, "b H W c"], ...] = ()
