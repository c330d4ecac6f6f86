"""The train state, which steps update."""

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
import optax


class TrainState(flax.struct.PyTreeNode):
    """Parameters, statistics and optimizer state of a run."""

    step: jax.Array
    params: dict
    batch_stats: dict
    # 1x1 convolutions from the student's features to the teachers'; trained, not saved
    # with the weights.
    adapters: dict
    # The moving average of parameters and statistics; empty if it is disabled.
    average: dict
    opt_state: optax.OptState
    # The factor of the learning rate, from the plateau and the budget.
    rate_scale: jax.Array
    # False from the first non-finite step on, after which the state does not change.
    healthy: jax.Array

    @property
    def variables(self) -> dict:
        """The network's variables: the average if there is one."""
        return self.average or {"params": self.params, "batch_stats": self.batch_stats}


def init_variables(model: nn.Module, channels: int, key: jax.Array) -> dict:
    """Initialises a network's parameters and statistics."""
    # Not jitted, so that sampling is compiled once per shape instead of per layer.
    pixels = jax.ShapeDtypeStruct((1, 32, 32, channels), jnp.float32)
    variables = model.lazy_init(key, pixels)
    return {
        "params": variables["params"],
        "batch_stats": variables.get("batch_stats", {}),
    }


def create_state(
    variables: dict,
    optimizer: optax.GradientTransformation,
    *,
    adapters: dict | None = None,
    averaged: bool = False,
) -> TrainState:
    """Creates the state before the first step."""
    adapters = adapters or {}
    params, batch_stats = variables["params"], variables["batch_stats"]
    average = {"params": params, "batch_stats": batch_stats} if averaged else {}
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        batch_stats=batch_stats,
        adapters=adapters,
        # A copy, since steps donate their input and each buffer only once.
        average=jax.tree.map(jnp.copy, average),
        opt_state=jax.jit(optimizer.init)((params, adapters)),
        rate_scale=jnp.ones(()),
        healthy=jnp.ones((), bool),
    )
