"""From residual to restored pixels: the one way that a network is called to restore."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
from jaxtyping import Array, Float

from kdsharp.core import color


def restore(
    model: nn.Module,
    variables: Mapping[str, Any],
    blurred: Float[Array, "b h w c"],
    *,
    gains: Float[Array, "g filters"] | None = None,
    strength: float = 1.0,
) -> Float[Array, "b h w c"]:
    """Returns `blurred + strength * residual`, which nothing clips.

    Args:
      model: a network of `models.create`.
      variables: what it is applied to.
      blurred: pixels in [0, 1]. A network of luma may be given RGB: it sees its luma,
        and its residual is added to red, green and blue alike, so that chroma passes.
      gains: those of a network with a context, if the caller has found them.
      strength: what the residual is multiplied by; 1 is as trained.
    """
    of_luma = getattr(model, "channels", 3) == 1 and blurred.shape[-1] == 3
    seen = color.luma(blurred) if of_luma else blurred
    given: dict[str, Any] = {} if gains is None else {"gains": gains}
    residual: Any = model.apply(variables, seen, **given)
    return blurred + strength * residual
