"""Counts the operations of networks."""

from typing import Any

import jax
import numpy as np

from kdsharp import models


def per_frame(arguments: dict, height: int, width: int) -> float:
    """Floating-point operations of a network per frame, by XLA's cost analysis.

    A multiply-add counts as two; products with padding do not count.
    """
    model = models.create(**arguments)
    pixels = jax.ShapeDtypeStruct(
        (1, height, width, arguments.get("channels", 3)), np.float32
    )
    variables = jax.eval_shape(model.init, jax.random.key(0), pixels)
    # Other platforms do not analyse costs before compilation.
    with jax.default_device(jax.local_devices(backend="cpu")[0]):
        lowered = jax.jit(model.apply).lower(variables, pixels)
    costs: Any = lowered.cost_analysis()
    return costs["flops"]
