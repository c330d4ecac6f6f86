"""The record of a network: all that the rest of the project has to know of it."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn


@dataclasses.dataclass(frozen=True)
class ReceptiveField:
    """The input pixels that a restored pixel depends on.

    None is farther than `radius` along either axis, provided that the picture is cut at
    multiples of `multiple`. `bytes_per_pixel` is about the memory that restoring takes.
    Gains that a network derives from its context depend on the whole picture and are
    not counted.
    """

    radius: int
    multiple: int
    bytes_per_pixel: int


@dataclasses.dataclass(frozen=True)
class Family:
    """A network that configs can name.

    module           the Flax module; its fields are the arguments in a config
    receptive_field  the receptive field of a module with given arguments
    export           the emitter, which adds the network's nodes to an ONNX graph (see
                     `kdsharp.export.networks`): a function, or its place as
                     `package.module:function`, imported when a graph is built; None
                     for a network that cannot be exported to ONNX
    draws_picture    whether the emitter returns the picture instead of the residual
    folded           whether the emitter gets pictures with squares of pixels, as large
                     as `receptive_field(module).multiple`, folded into channels
    without_norm     the arguments that leave batch norm out, for weights that have it
                     folded into their convolutions; None if there is no such form
    """

    module: type[nn.Module]
    receptive_field: Callable[[Any], ReceptiveField]
    export: Callable | str | None = None
    draws_picture: bool = False
    folded: bool = False
    without_norm: Mapping[str, Any] | None = None
