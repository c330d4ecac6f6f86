"""What a sharp picture loses on its way: sharp -> blurred, jitted, on the device.

`create('bicubic:2')` returns a function `(keys, sharp) -> blurred` with one random key
a picture, so that a picture's fate depends on neither its batch nor its device.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from kdsharp.errors import UserError

Degradation = Callable[[Key[Array, " b"], Float[Array, "b h w c"]], Array]


def to_8_bits(picture: Float[Array, "..."]) -> Float[Array, "..."]:
    """Returns the picture as 8 bits would keep it, still float in [0, 1]."""
    return jnp.round(jnp.clip(picture, 0, 1) * 255) / 255


def bicubic_resize(
    picture: Float[Array, "b h w c"], height: int, width: int
) -> Float[Array, "b height width c"]:
    """Returns the picture at another size, as Pillow's BICUBIC gives it.

    Pillow filters rows, keeps 8 bits, then filters columns; so does this.
    """
    b, h, _, c = picture.shape
    rows = jax.image.resize(picture, (b, h, width, c), "cubic", antialias=True)
    rows = to_8_bits(rows)
    both = jax.image.resize(rows, (b, height, width, c), "cubic", antialias=True)
    return to_8_bits(both)


def bicubic(
    sharp: Float[Array, "b h w c"], *, factor: float
) -> Float[Array, "b h w c"]:
    """Returns the pictures reduced by `factor` and enlarged again, both bicubic."""
    _, h, w, _ = sharp.shape
    small = bicubic_resize(sharp, max(1, round(h / factor)), max(1, round(w / factor)))
    return bicubic_resize(small, h, w)


_RESAMPLERS = {"bicubic": bicubic}


def create(spec: str) -> Degradation:
    """Returns the degradation that `NAME:FACTOR` names, such as `bicubic:2`."""
    name, _, argument = spec.partition(":")
    if name not in _RESAMPLERS:
        raise UserError(
            f"unknown degradation {name!r}; there are: {', '.join(_RESAMPLERS)}"
        )
    try:
        factor = float(argument or 2)
    except ValueError:
        factor = 0.0
    if not 1 <= factor < float("inf"):
        raise UserError(
            f"degradation {spec!r} needs a factor of 1 or more, such as {name}:2"
        )

    def degrade(keys: Key[Array, " b"], sharp: Float[Array, "b h w c"]) -> Array:
        del keys  # Nothing about a fixed factor is random.
        return _RESAMPLERS[name](sharp, factor=factor)

    return degrade
