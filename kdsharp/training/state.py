"""All that a run carries from step to step."""

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
import optax


class TrainState(flax.struct.PyTreeNode):
    """The network, the optimiser's memory and how far training has come."""

    step: jax.Array
    params: dict
    batch_stats: dict
    opt_state: optax.OptState
    # False from the first non-finite loss on; the state then stands still.
    healthy: jax.Array

    @property
    def variables(self) -> dict:
        """Returns what the network is applied with."""
        return {"params": self.params, "batch_stats": self.batch_stats}


def init_variables(model: nn.Module, channels: int, key: jax.Array) -> dict:
    """Returns a network's first parameters and statistics."""
    variables = jax.jit(model.init)(key, jnp.zeros((1, 32, 32, channels)))
    return {
        "params": variables["params"],
        "batch_stats": variables.get("batch_stats", {}),
    }


def create_state(variables: dict, optimizer: optax.GradientTransformation):
    """Returns the state before the first step."""
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=variables["params"],
        batch_stats=variables["batch_stats"],
        opt_state=jax.jit(optimizer.init)(variables["params"]),
        healthy=jnp.ones((), bool),
    )
