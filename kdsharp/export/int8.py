"""Calibration of int8: ranges of values and rounded kernels, from pictures.

Kernels are quantised per filter, inputs per tensor. Neither sums nor the picture that
the residual is added to are quantised.
"""

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence

import numpy as np
from flax.traverse_util import flatten_dict
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from kdsharp.base import atomic_files
from kdsharp.base.cache import cache_folder
from kdsharp.export import equalising, kernel_rounding, observing, samples
from kdsharp.export.graph import BEFORE, Graph, Value
from kdsharp.export.network import TrainedNetwork
from kdsharp.export.quantization import Quantization, Ranges, RoundedKernel
from kdsharp.export.samples import SamplePair

# Increase this when the same pictures give another calibration.
_VERSION = 2

# Bins of the histogram of a value: many for each of 256 levels.
_BINS = 1 << 14
# Fractions of the observed extremes that are tried as ends of a range.
_PARTS = np.linspace(0.5, 1, 11)
_LOW_PARTS = np.linspace(0.05, 1, 20)

# Fields of a calibration in its file.
_RANGES = ("ranges", "observed")
_FIELDS = tuple(field.name for field in dataclasses.fields(RoundedKernel))


def quantization(network: TrainedNetwork) -> Quantization:
    """Calibrates on generated pictures; the result is cached on disk."""
    cached = cache_folder() / "int8" / f"{_fingerprint(network)}.safetensors"
    try:
        return _unpacked(load_file(cached))
    except (OSError, SafetensorError, KeyError, ValueError):
        found = calibrate(network, samples.pairs(network))
    with contextlib.suppress(OSError):  # Calibration is then repeated each time.
        atomic_files.write_bytes(cached, save(_packed(found)))
    return found


def _fingerprint(network: TrainedNetwork) -> str:
    """A hash of everything that the calibration depends on."""
    described = json.dumps([_VERSION, network.version, network.card], default=str)
    content = hashlib.sha256(described.encode())
    for path, value in sorted(flatten_dict(network.params, sep="/").items()):
        content.update(path.encode())
        content.update(np.ascontiguousarray(value).tobytes())
    return content.hexdigest()[:32]


def _packed(found: Quantization) -> dict[str, np.ndarray]:
    arrays = {}
    for kind in _RANGES:
        for name, ends in getattr(found, kind).items():
            arrays[f"{kind}/{name}"] = np.array(ends)
    for name, kernel in found.kernels.items():
        for field in _FIELDS:
            # Files hold arrays in their order in memory.
            array = np.ascontiguousarray(getattr(kernel, field))
            arrays[f"{field}/{name}"] = array
    return arrays


def _unpacked(arrays: Mapping[str, np.ndarray]) -> Quantization:
    found: dict[str, dict[str, np.ndarray]] = {}
    for key, array in arrays.items():
        kind, _, name = key.partition("/")
        found.setdefault(kind, {})[name] = array
    ranges, observed = (
        {name: (float(low), float(high)) for name, (low, high) in found[kind].items()}
        for kind in _RANGES
    )
    kernels = {
        name: RoundedKernel(*(found[field][name] for field in _FIELDS))
        for name in found[_FIELDS[0]]
    }
    return Quantization(ranges, kernels, observed)


def calibrate(network: TrainedNetwork, pairs: Sequence[SamplePair]) -> Quantization:
    """Finds the ranges and rounds the kernels, on given pictures."""
    seen = observing.observe(network, pairs)
    graph, values, moments = seen.graph, dict(seen.samples), dict(seen.moments)
    observed = _ranges(graph, values)
    convolutions = dict(graph.convolutions)
    for link in equalising.links(graph):
        first, second = convolutions[link.first], convolutions[link.second]
        # What a ReLU without slope is applied to is not watched.
        outputs = values.get(link.before, values[link.after])
        factors = equalising.factors(outputs, link.slope)
        convolutions[link.first] = first.scaled(outputs=factors)
        convolutions[link.second] = second.scaled(inputs=1 / factors)
        for value in {link.before, link.after} & values.keys():
            values[value] = values[value] * factors[:, None]
        terms = np.append(np.repeat(factors, second.kernel[0, 0].size), 1)
        moments[link.second] = moments[link.second] * np.outer(terms, terms)
    kernels = {
        name: kernel_rounding.round_kernel(convolution, moments[name])
        for name, convolution in convolutions.items()
    }
    return Quantization(_ranges(graph, values), kernels, observed)


def _ranges(graph: Graph, values: Mapping[Value, np.ndarray]) -> Ranges:
    return {
        name: _best(values[value].ravel(), graph.slopes.get(name, 1.0))
        for name, value in graph.watched.items()
    }


def _best(values: np.ndarray, slope: float = 1.0) -> tuple[float, float]:
    """The range whose quantisation has the least squared error on these values.

    Clipping a few extremes costs less than coarser steps for all other values. Before a
    leaky ReLU, errors of negative values count only as much as its `slope` lets pass.
    """
    counts, edges = np.histogram(values, _BINS)
    centers = (edges[:-1] + edges[1:]) / 2
    weights = counts * np.where(centers < 0, slope**2, 1)

    def error(low: float, high: float) -> float:
        return np.dot(weights, np.square(_rounded(centers, low, high) - centers))

    low, high = edges[0], edges[-1]
    parts = _PARTS if slope == 1 else _LOW_PARTS
    low = min((part * low for part in parts), key=lambda end: error(end, high))
    high = min((part * high for part in _PARTS), key=lambda end: error(low, end))
    return float(low), float(high)


def _rounded(values: np.ndarray, low: float, high: float) -> np.ndarray:
    low, high = min(low, 0.0), max(high, 0.0)
    step = max((high - low) / 255, np.finfo(np.float32).tiny)
    return np.clip(np.round((values - low) / step), 0, 255) * step + low


def only_inputs(found: Quantization) -> Quantization:
    """Keeps only the ranges of convolution inputs.

    OpenVINO fuses a leaky ReLU with the convolution before it and rounds once;
    onnxruntime computes in 8 bits only between two quantised values.
    """
    kept = {k: v for k, v in found.ranges.items() if not k.startswith(BEFORE)}
    return dataclasses.replace(found, ranges=kept)


def without_scaled_kernel(found: Quantization, network: TrainedNetwork) -> Quantization:
    """Drops the range of a convolution whose kernel may be scaled by gains.

    In onnxruntime, float32 is faster for it than multiplying its input by the gains.
    """
    last = f"conv{network.model.depth}" if network.has_context else ""
    kept = {k: v for k, v in found.ranges.items() if k != last}
    return dataclasses.replace(found, ranges=kept)
