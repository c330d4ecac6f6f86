"""`restore`, which applies a network and adds its residual to the pixels."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
from jaxtyping import Array, Float

from kdsharp.core import color
from kdsharp.models import memory, real_time


def restore(
    model: nn.Module,
    variables: Mapping[str, Any],
    blurred: Float[Array, "b h w c"],
    *,
    gains: Float[Array, "g filters"] | None = None,
    strength: float = 1.0,
    state: Float[Array, "b h w c"] | None = None,
    keep: Float[Array, ""] | float = 1.0,
) -> Float[Array, "b h w c"]:
    """Computes `blurred + strength * residual`, without clipping.

    Args:
      model: a network from `models.create`. variables: its parameters and statistics.
      blurred: pixels in [0, 1]. A luma network also takes RGB: it gets the luma, and
        its residual is added to all three channels, which leaves chroma unchanged.
      gains: gains of a network with a context, if already computed.
      strength: factor of the residual; 1 is as trained.
      state: the restored frame before, for a network with memory.
      keep: factor of the memory's share; 0 forgets the state.
    """
    of_luma = getattr(model, "channels", 3) == 1 and blurred.shape[-1] == 3
    seen = color.luma(blurred) if of_luma else blurred
    if getattr(model, "context", 0) and gains is None and state is not None:
        gains = real_time.gains_of(model, variables, seen)
    extra: dict[str, Any] = {} if gains is None else {"gains": gains}
    residual: Any = model.apply(variables, seen, **extra)
    restored = blurred + strength * residual
    if state is None:
        return restored
    share = keep * memory.share(variables)
    if gains is not None:
        share = share * memory.active(gains)
    return memory.steady(restored, state, share)
