"""The scores of one restored picture; everything that judges a network asks here."""

import functools

import jax

from kdsharp.core import color, metrics, similarity

# Programs for one size of picture each: sooner ready counts more than sooner done.
_IN_HASTE = {
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
    """Returns the named metrics of a batch of one; of MS-SSIM only where it fits."""
    sides = (side - 2 * shave for side in sharp.shape[1:3])
    if similarity.scales_for(*sides) < similarity.SCALES:
        names = tuple(name for name in names if name != "ms_ssim")
    found = _compiled()(restored, sharp, protocol, shave, names)
    return {name: float(value) for name, value in found.items()}


@functools.cache
def _compiled():
    options = _IN_HASTE if jax.default_backend() == "cpu" else None
    return jax.jit(_measure, static_argnums=(2, 3, 4), compiler_options=options)


def _measure(restored, sharp, protocol, shave, names):
    restored, sharp = (metrics.compared(x, protocol, shave) for x in (restored, sharp))
    return {name: metrics.OF_PICTURES[name](restored, sharp)[0] for name in names}


def as_grey(picture: jax.Array) -> jax.Array:
    """Returns what the luma protocol compares of a picture from a grey file.

    Published scores take such files as they are, from 0 to 255, and only those that
    can hold colour as video's luma.
    """
    return color.luma(picture)
