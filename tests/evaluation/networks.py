"""Writes weights of small networks for tests."""

from pathlib import Path

import jax
import numpy as np

from kdsharp import models
from kdsharp.weights import store


def save(folder: Path, name: str, *, channels: int = 3, gain: float = 0.0) -> Path:
    """Writes weights whose residual is `gain` times the picture's second derivative."""
    arguments = {
        "name": "dncnn",
        "depth": 2,
        "width": 2 * channels,
        "channels": channels,
        "norm_after": [],
        "mean": [0.0] * channels,
    }
    model = models.create(**arguments)
    variables = model.init(jax.random.key(0), np.zeros((1, 8, 8, channels), np.float32))
    variables = jax.tree.map(np.zeros_like, dict(variables))
    first, second = sorted(variables["params"])
    for channel in range(channels):
        # Positive and negative second derivatives in separate filters, because of ReLU.
        for half, sign in enumerate((1, -1)):
            kernel = variables["params"][first]["kernel"]
            kernel[1, 1, channel, 2 * channel + half] = sign
            kernel[1, 0::2, channel, 2 * channel + half] = -sign / 2
            kernel = variables["params"][second]["kernel"]
            kernel[1, 1, 2 * channel + half, channel] = sign * gain
    path = folder / f"{name}.safetensors"
    store.save(path, variables, {"name": name, "model": arguments})
    return path
