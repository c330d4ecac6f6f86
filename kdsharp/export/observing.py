"""What a network computes on pictures, from which int8 is calibrated."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from kdsharp.base import optional
from kdsharp.export import kernel_rounding, onnx_models
from kdsharp.export.graph import Graph, Value
from kdsharp.export.kernel_rounding import Moments
from kdsharp.export.network import TrainedNetwork
from kdsharp.export.samples import SamplePair

# About how many pixels of a picture are sampled.
_PIXELS = 4000


@dataclasses.dataclass(frozen=True)
class Observations:
    """A graph, samples of its values, and moments of what its convolutions read."""

    graph: Graph
    samples: dict[Value, Float[np.ndarray, "channels samples"]]
    moments: dict[str, Moments]


def observe(network: TrainedNetwork, pairs: Sequence[SamplePair]) -> Observations:
    """Runs a network on pictures.

    Sharp pictures are included, because networks meet them in practice.
    """
    _, onnxruntime = optional.require(
        "onnx", "onnxruntime", purpose="calibrating 8 bits"
    )
    model, graph = onnx_models.calibration_model(network)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    values = list(dict.fromkeys(graph.watched.values()))
    samples: dict[Value, list[np.ndarray]] = {value: [] for value in values}
    moments: dict[str, list[Moments]] = {name: [] for name in graph.convolutions}
    for pair in pairs:
        for pixels in (pair.sharp, pair.blurred):
            outputs = session.run(values, {onnx_models.INPUT: pixels})
            found = dict(zip(values, outputs, strict=True))
            for value, numbers in found.items():
                by_channel = numbers[0].reshape(numbers.shape[1], -1)
                # Odd, so that all columns of pictures of an even width are sampled.
                every = by_channel.shape[1] // _PIXELS | 1
                samples[value].append(by_channel[:, ::every])
            for name, convolution in graph.convolutions.items():
                moments[name].append(
                    kernel_rounding.moments(convolution, found[convolution.input])
                )
    return Observations(
        graph,
        {value: np.concatenate(parts, axis=1) for value, parts in samples.items()},
        {name: np.mean(parts, axis=0) for name, parts in moments.items()},
    )
