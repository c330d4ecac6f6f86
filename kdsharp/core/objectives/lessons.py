"""Distillation losses on features and views of a teacher.

Each is a function `(outcome, lesson)`; `@needs` declares which of their fields it uses.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from kdsharp.core.objectives.needs import needs
from kdsharp.core.objectives.outcome import Feature, Lesson, Outcome

# Affinity matrices have one entry per pair of positions; larger features are resized.
_AFFINITY_SIDE = 32


@needs("features", "adapters")
def feature_kd(outcome: Outcome, lesson: Lesson) -> Float[Array, ""]:
    """Squared error of the adapted features, relative to that of zeros.

    After Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015.
    """
    errors = [
        jnp.mean(jnp.square(adapted - feature)) / jnp.mean(jnp.square(feature))
        for adapted, feature in zip(lesson.adapted, lesson.features, strict=True)
    ]
    return _mean(errors)


@needs("features")
def affinity_kd(outcome: Outcome, lesson: Lesson) -> Float[Array, ""]:
    """Mean absolute difference of the spatial affinity matrices.

    After He et al., "FAKD: Feature-Affinity Based Knowledge Distillation for Efficient
    Image Super-Resolution", ICIP 2020: an affinity is the cosine between the features
    at two positions.
    """
    errors = [
        jnp.mean(jnp.abs(_affinity(student) - _affinity(feature)))
        for student, feature in zip(outcome.features, lesson.features, strict=True)
    ]
    return _mean(errors)


@needs("views")
def views_kd(outcome: Outcome, lesson: Lesson) -> Float[Array, ""]:
    """Mean absolute error to the teacher's residuals on augmented views.

    After Zhang et al., "Data Upcycling Knowledge Distillation for Image
    Super-Resolution" (DUKD), 2023.
    """
    errors = [
        jnp.mean(jnp.abs(view - taught))
        for view, taught in zip(outcome.views, lesson.views, strict=True)
    ]
    return _mean(errors)


def _affinity(feature: Feature) -> Float[Array, "b n n"]:
    """Cosine similarity between the features at every pair of positions."""
    height, width = feature.shape[1:3]
    size = (min(height, _AFFINITY_SIDE), min(width, _AFFINITY_SIDE))
    if size != (height, width):
        shape = (feature.shape[0], *size, feature.shape[3])
        feature = jax.image.resize(feature, shape, "linear")
    places = feature.reshape(feature.shape[0], -1, feature.shape[3])
    norm = jnp.sqrt(jnp.sum(jnp.square(places), -1, keepdims=True) + 1e-12)
    places /= norm
    return jnp.einsum("bif,bjf->bij", places, places)


LESSONS: dict[str, Callable[[Outcome, Lesson], Float[Array, ""]]] = {
    "feature_kd": feature_kd,
    "affinity_kd": affinity_kd,
    "views_kd": views_kd,
}


def _mean(errors: Sequence[Float[Array, ""]]) -> Float[Array, ""]:
    return jnp.asarray(sum(errors) / len(errors))
