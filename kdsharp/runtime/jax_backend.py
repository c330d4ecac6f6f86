"""Networks run by JAX itself: the backend that is always there."""

import contextlib
import os

import jax
import numpy as np

from kdsharp import models
from kdsharp.errors import UserError
from kdsharp.runtime.backends import Network, side
from kdsharp.weights import fold, store


def create(weights: store.Weights, dtype: str, threads: int) -> Network:
    """Returns the network; XLA compiles it once for each shape of picture."""
    if threads:
        # XLA reads it when it starts; later it has its threads.
        os.environ["NPROC"] = str(threads)
    arguments, variables = dict(weights.card["model"]), weights.variables
    with contextlib.suppress(UserError):  # Some networks keep their batch norm.
        arguments, variables = fold.fold(arguments, variables)
    model = models.create(**{**arguments, "dtype": dtype})
    context = jax.device_get(variables["params"].get("context"))
    variables = jax.device_put(variables)

    @jax.jit
    def restore(variables, blurred, gains):
        more = {} if gains is None else {"gains": gains}
        return blurred + model.apply(variables, blurred, **more)

    looks = models.receptive_field(model)
    return Network(
        run=lambda blurred, gains=None: np.asarray(restore(variables, blurred, gains)),
        channels=model.channels,
        radius=looks.radius,
        multiple=looks.multiple,
        side=side(looks),
        context=context,
    )
