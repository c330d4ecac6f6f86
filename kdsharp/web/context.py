"""Writes the parameters of a network's context to a file for the page.

The file consists of float32 values: the context filters in row-major order; kernel and
bias of the hidden layer; kernel and bias of the gains. If the network has its own
WebAssembly, the last kernel in that module's order follows, which the gains scale.
"""

import dataclasses
from pathlib import Path

import numpy as np

from kdsharp.base import atomic_files
from kdsharp.export.network import TrainedNetwork
from kdsharp.web.kernels.module import Kernel


@dataclasses.dataclass(frozen=True)
class ContextFile:
    """The layout of the file, for the page.

    `scale` is the ratio of the integer steps of the last layer's input and output, if
    the network has its own WebAssembly.
    """

    file: str
    bytes: int
    size: int
    filters: int
    hidden: int
    gains: int
    scale: float | None


def write(
    network: TrainedNetwork, kernel: Kernel | None, folder: Path
) -> ContextFile | None:
    """Writes the file if the network has a context."""
    if not network.has_context:
        return None
    params = network.params["context"]
    parts = [params["look"]]
    parts += [params[x][y] for x in ("hidden", "gains") for y in ("kernel", "bias")]
    if kernel:
        parts.append(kernel.last)
    content = b"".join(np.asarray(part, "<f4").tobytes() for part in parts)
    file = f"{network.name}.context"
    atomic_files.write_bytes(folder / file, content)
    return ContextFile(
        file,
        len(content),
        size=params["look"].shape[0],
        filters=params["look"].shape[-1],
        hidden=len(params["hidden"]["bias"]),
        gains=len(params["gains"]["bias"]),
        scale=kernel.scale if kernel else None,
    )
