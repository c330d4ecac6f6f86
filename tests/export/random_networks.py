"""Small networks of every family with random weights."""

import jax
import numpy as np

from kdsharp import models
from kdsharp.export import network
from kdsharp.weights import store

ARGUMENTS = (
    dict(name="dncnn", depth=4, width=6, mean=(0.4, 0.3, 0.2)),
    dict(name="dncnn", depth=3, width=6, norm_after=(), channels=1),
    dict(name="plain_cnn", width=6),
    dict(name="light_cnn", widths=(6, 4)),
    dict(name="unet", widths=(4, 6, 8), sigmoid=True),
    dict(name="unet", widths=(4, 6), channels=1),
    dict(name="separable_unet", widths=(4, 6)),
    dict(name="encoder_decoder", width=4),
    dict(name="swinir", depths=(2, 2), width=12, heads=(2, 3), window=4),
    dict(name="swinir", depths=(2,), width=6, heads=(2,), window=4, channels=1),
    dict(name="real_time", channels=1, width=6),
    dict(name="real_time", channels=3, width=6, factor=4, depth=3),
    dict(name="real_time", channels=1, width=6, learned_slope=True, skip=True),
    dict(name="real_time", channels=1, width=6, convolution="expanded", ends=5),
    dict(name="real_time", channels=1, width=6, convolution="separable"),
    dict(name="real_time", channels=1, width=6, context=4),
    dict(name="real_time", channels=1, width=6, memory=True),
    dict(
        name="real_time",
        channels=3,
        width=6,
        depth=4,
        skip=True,
        convolution="expanded",
        context=8,
    ),
)


def variables(arguments: dict) -> dict:
    """Draws random weights that change pixels by some tenths."""
    model = models.create(**arguments)
    pixels = np.zeros((1, 16, 16, model.channels), np.float32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), pixels)
    random = np.random.default_rng(0)

    def draw(path, value):
        # Scales and variances stay away from 0, to keep the signal alive.
        low, high = -0.25, 0.25
        if path[-1].key in ("var", "scale"):
            low, high = 0.5, 1.5
        if [part.key for part in path][-2:] == ["gains", "kernel"]:
            # Makes gains differ between pictures as much as trained ones do.
            low, high = -0.5, 0.5
        return random.uniform(low, high, value.shape).astype(np.float32)

    return {
        "batch_stats": {},
        **jax.tree_util.tree_map_with_path(draw, dict(shapes)),
    }


def create(arguments: dict) -> network.TrainedNetwork:
    """Creates a network with random weights, batch norm folded in."""
    card = {"name": "net", "model": arguments, "degradation": "gaussian:1"}
    return network.of_variables("net", arguments, variables(arguments), card)


def with_context(name: str, filters: int = 8) -> network.TrainedNetwork:
    """An included network with a randomly initialised context, in place of its own."""
    weights = store.load(name)
    model = {**weights.card["model"], "context": filters}
    random = variables(
        dict(name="real_time", channels=1, width=model["width"], context=filters)
    )
    params = {**weights.variables["params"], "context": random["params"]["context"]}
    return network.of_variables("net", model, {"params": params}, weights.card)


def save(folder, arguments: dict) -> str:
    """Saves random weights and returns their path."""
    path = folder / "net.safetensors"
    card = {"name": "net", "model": arguments, "degradation": "gaussian:1"}
    store.save(path, variables(arguments), card)
    return str(path)
