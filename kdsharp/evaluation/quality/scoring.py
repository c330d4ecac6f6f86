"""Scores of one restored picture, used by all evaluations."""

import functools

import jax

from kdsharp.core import color, metrics, similarity

# Programs run only for pictures of one size, so compilation time matters most.
_FAST_COMPILE = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
}


def scores(
    restored: jax.Array,
    sharp: jax.Array,
    *,
    protocol: str = "rgb",
    shave: int = 0,
    names: tuple[str, ...] = tuple(metrics.METRICS),
) -> dict[str, float]:
    """Computes the named metrics of a batch of one; MS-SSIM only if it fits."""
    sides = (side - 2 * shave for side in sharp.shape[1:3])
    if similarity.scales_for(*sides) < similarity.SCALES:
        names = tuple(name for name in names if name != "ms_ssim")
    values = _compiled()(restored, sharp, protocol, shave, names)
    return {name: float(value) for name, value in values.items()}


@functools.cache
def _compiled():
    options = _FAST_COMPILE if jax.default_backend() == "cpu" else None
    return jax.jit(_measure, static_argnums=(2, 3, 4), compiler_options=options)


def _measure(restored, sharp, protocol, shave, names):
    restored, sharp = (metrics.compared(x, protocol, shave) for x in (restored, sharp))
    return {name: metrics.OF_PICTURES[name](restored, sharp)[0] for name in names}


def as_grey(picture: jax.Array) -> jax.Array:
    """Converts a picture from a greyscale file for the luma protocol.

    Published scores compare such files in full range, 0 to 255, and only colour files
    by the luma of video.
    """
    return color.luma(picture)
