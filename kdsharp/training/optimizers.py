"""Optimisers and their learning rates, all of them optax's."""

import optax
from ml_collections import ConfigDict

from kdsharp.errors import UserError


def create_schedule(config: ConfigDict, steps: int) -> optax.Schedule:
    """Returns the learning rate as a function of the step."""
    match config.schedule:
        case "constant":
            return optax.constant_schedule(config.learning_rate)
        case "cosine":
            return optax.warmup_cosine_decay_schedule(
                init_value=0.0,
                peak_value=config.learning_rate,
                warmup_steps=min(config.warmup_steps, steps - 1),
                decay_steps=steps,
            )
    raise UserError(
        f"unknown schedule {config.schedule!r}; there are: constant, cosine"
    )


def create(config: ConfigDict, steps: int) -> optax.GradientTransformation:
    """Returns Adam; its weight decay is added to the gradient, as PyTorch's Adam does.

    (Decoupled decay, AdamW's, would be another recipe than the one the reports give.)
    """
    return optax.chain(
        optax.add_decayed_weights(config.weight_decay),
        optax.adam(create_schedule(config, steps)),
    )
