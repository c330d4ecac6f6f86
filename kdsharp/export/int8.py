"""Eight bits: the range of what goes into each convolution, seen on pictures.

Kernels take a step for each filter, what goes into them one step in all. What the
network adds to is not rounded, nor are sums.
"""

from collections.abc import Sequence

import numpy as np

from kdsharp.export import packages, pictures
from kdsharp.export.graph import BEFORE
from kdsharp.export.network import Network
from kdsharp.export.pictures import Ranges
from kdsharp.export.trial import Pair


def calibrate(network: Network, pairs: Sequence[Pair]) -> Ranges:
    """Returns the least and the most of all that is rounded, on these pictures.

    Sharp ones are looked at, too: the network will meet some.
    """
    _, onnxruntime = packages.need("onnx", "onnxruntime")
    graph, watched = pictures.watched(network)
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    ranges: dict[str, tuple[float, float]] = {}
    for pair in pairs:
        for pixels in (pair.sharp, pair.blurred):
            found = session.run([*watched.values()], {pictures.INPUT: pixels})
            for name, values in zip(watched, found, strict=True):
                low, high = ranges.get(name, (np.inf, -np.inf))
                low, high = min(low, values.min()), max(high, values.max())
                ranges[name] = float(low), float(high)
    return ranges


def of_inputs(ranges: Ranges) -> Ranges:
    """Returns the ranges of convolutions' inputs alone.

    OpenVINO computes a leaky ReLU together with the convolution before it, and rounds
    once; onnxruntime computes in 8 bits only between two roundings.
    """
    return {k: v for k, v in ranges.items() if not k.startswith(BEFORE)}
