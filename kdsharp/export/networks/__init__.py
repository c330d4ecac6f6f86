"""ONNX emitters, which write the networks of `kdsharp.models` as nodes of a graph.

An emitter `(graph, x, sizes, model, params)` adds nodes with the methods of
`kdsharp.export.graph.Graph` and returns the residual, or the picture if its `Family`
says `draws_picture`. It is given planes `[batch, channel, height, width]` whose size is
a multiple of what the network requires, the Flax module, and parameters without batch
norm. As it only calls methods, it may live in the module of the network itself.
"""

import importlib
from collections.abc import Callable

import flax.linen as nn

from kdsharp import models
from kdsharp.errors import UserError
from kdsharp.export.graph import Graph, Size, Value

Emitter = Callable[[Graph, Value, tuple[Size, Size], nn.Module, dict], Value]


def check(family: str) -> None:
    """Refuses networks without an ONNX emitter."""
    if models.find(family).export is None:
        raise UserError(
            f"model {family!r} has no ONNX emitter; export it with --format stablehlo, "
            "or run it with --backend jax"
        )


def emitter(family: str) -> Emitter:
    """Imports the emitter of a family."""
    check(family)
    named = models.find(family).export
    assert named is not None
    if callable(named):
        return named
    module, _, function = named.partition(":")
    return getattr(importlib.import_module(module), function)
