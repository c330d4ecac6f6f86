"""`Family`, the record of a network's properties that other packages use."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn


@dataclasses.dataclass(frozen=True)
class ReceptiveField:
    """The input pixels that a restored pixel depends on.

    All are within `radius` along either axis, if tiles start at multiples of
    `multiple`. `bytes_per_pixel` estimates the memory for restoring. The gains of
    networks with a context depend on the whole picture, and do not count here.
    """

    radius: int
    multiple: int
    bytes_per_pixel: int


@dataclasses.dataclass(frozen=True)
class Family:
    """A network that configs can name.

    module           the Flax module; its fields are the arguments in a config
    receptive_field  a function from a module to its receptive field
    export           the emitter that adds the network's nodes to an ONNX graph (see
                     `kdsharp.export.networks`): a function, or its location as
                     `package.module:function`, imported on use; None for networks
                     without ONNX export
    draws_picture    whether the emitter returns the picture instead of the residual
    folded           whether the emitter gets pictures after space-to-depth by
                     `receptive_field(module).multiple`
    without_norm     arguments for the network without batch norm, for weights that
                     have it folded into their convolutions; None if there is none
    """

    module: type[nn.Module]
    receptive_field: Callable[[Any], ReceptiveField]
    export: Callable | str | None = None
    draws_picture: bool = False
    folded: bool = False
    without_norm: Mapping[str, Any] | None = None
