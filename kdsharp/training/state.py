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
    # Between the student's features and its teachers'; trained too, then left behind.
    adapters: dict
    # The moving average of parameters and statistics; empty where a run takes none.
    average: dict
    opt_state: optax.OptState
    # Of the learning rate, lowered when validation stands still.
    rate_scale: jax.Array
    # False from the first non-finite loss on; the state then stands still.
    healthy: jax.Array

    @property
    def variables(self) -> dict:
        """The network's variables: the average, where there is one."""
        return self.average or {"params": self.params, "batch_stats": self.batch_stats}


def init_variables(model: nn.Module, channels: int, key: jax.Array) -> dict:
    """Initialises a network's parameters and statistics."""
    # Not jitted: each shape's draw is compiled once, not each of a network's layers.
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
        # A copy: what a step is given it may overwrite, each buffer once.
        average=jax.tree.map(jnp.copy, average),
        opt_state=jax.jit(optimizer.init)((params, adapters)),
        rate_scale=jnp.ones(()),
        healthy=jnp.ones((), bool),
    )
