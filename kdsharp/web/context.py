"""What a page finds the gains of a network by: the numbers of its context, in a file.

One after another, float32: the filters that look, place by place; the hidden layer's
kernel and biases; the gains' kernel and biases. Behind them may be the last kernel of
the network's own WebAssembly, in its order, which the gains multiply.
"""

import dataclasses
from pathlib import Path

import numpy as np

from kdsharp.base import atomic_files
from kdsharp.export.network import TrainedNetwork
from kdsharp.web.kernels.module import Kernel


@dataclasses.dataclass(frozen=True)
class ContextFile:
    """What the page is told of the file: how many numbers of each kind it holds.

    Integers of the last layer's input and output are `scale` apart, where there is one.
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
    """Writes the file, if the network has a context."""
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
