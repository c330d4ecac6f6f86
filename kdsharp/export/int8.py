"""Calibration of int8: finds the value range of the input of each convolution.

Kernels are quantised per filter, inputs per tensor. Neither sums nor the picture that
the residual is added to are quantised.
"""

import contextlib
import hashlib
import json
from collections.abc import Sequence

import numpy as np
from flax.traverse_util import flatten_dict

from kdsharp.base import atomic_files, optional
from kdsharp.base.cache import cache_folder
from kdsharp.export import onnx_models, samples
from kdsharp.export.graph import BEFORE
from kdsharp.export.network import TrainedNetwork
from kdsharp.export.onnx_models import Ranges
from kdsharp.export.samples import SamplePair

# Increase this when the same pictures give different ranges.
_VERSION = 1

# One in this many values is sampled.
_EVERY = 7
# Fractions of the observed extremes that are tried as ends of a range.
_PARTS = np.linspace(0.5, 1, 11)


def ranges(network: TrainedNetwork) -> Ranges:
    """Calibrates on generated pictures; results are cached on disk."""
    cached = cache_folder() / "ranges" / f"{_fingerprint(network)}.json"
    try:
        return {
            name: tuple(ends) for name, ends in json.loads(cached.read_text()).items()
        }
    except (OSError, ValueError, AttributeError, TypeError):
        found = calibrate(network, samples.pairs(network))
    with contextlib.suppress(OSError):  # Calibration is then repeated each time.
        atomic_files.write_text(cached, json.dumps(found))
    return found


def _fingerprint(network: TrainedNetwork) -> str:
    """A hash of everything that the ranges depend on."""
    described = json.dumps([_VERSION, network.version, network.card], default=str)
    content = hashlib.sha256(described.encode())
    for path, value in sorted(flatten_dict(network.params, sep="/").items()):
        content.update(path.encode())
        content.update(np.ascontiguousarray(value).tobytes())
    return content.hexdigest()[:32]


def calibrate(network: TrainedNetwork, pairs: Sequence[SamplePair]) -> Ranges:
    """Finds the range of every value that is quantised, on given pictures.

    Sharp pictures are included, because networks meet them in practice.
    """
    _, onnxruntime = optional.require(
        "onnx", "onnxruntime", purpose="calibrating 8 bits"
    )
    graph, watched = onnx_models.calibration_model(network)
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    seen: dict[str, list[np.ndarray]] = {name: [] for name in watched}
    for pair in pairs:
        for pixels in (pair.sharp, pair.blurred):
            found = session.run([*watched.values()], {onnx_models.INPUT: pixels})
            for name, values in zip(watched, found, strict=True):
                seen[name].append(values.ravel()[::_EVERY])
    return {name: _best(np.concatenate(values)) for name, values in seen.items()}


def _best(values: np.ndarray) -> tuple[float, float]:
    """The range whose quantisation has the least squared error on these values.

    Clipping a few extremes costs less than coarser steps for all other values.
    """
    low, high = float(values.min()), float(values.max())
    low = min((part * low for part in _PARTS), key=lambda x: _error(values, x, high))
    high = min((part * high for part in _PARTS), key=lambda x: _error(values, low, x))
    return low, high


def _error(values: np.ndarray, low: float, high: float) -> float:
    low, high = min(low, 0.0), max(high, 0.0)
    step = max((high - low) / 255, np.finfo(np.float32).tiny)
    whole = np.clip(np.round((values - low) / step), 0, 255)
    return float(np.mean(np.square(whole * step + low - values)))


def only_inputs(ranges: Ranges) -> Ranges:
    """Keeps only the ranges of convolution inputs.

    OpenVINO fuses a leaky ReLU with the convolution before it and rounds once;
    onnxruntime computes in 8 bits only between two quantised values.
    """
    return {k: v for k, v in ranges.items() if not k.startswith(BEFORE)}


def without_scaled_kernel(ranges: Ranges, network: TrainedNetwork) -> Ranges:
    """Drops the range of a convolution whose kernel may be scaled by gains.

    In onnxruntime, float32 is faster for it than multiplying its input by the gains.
    """
    last = f"conv{network.model.depth}" if network.has_context else ""
    return {k: v for k, v in ranges.items() if k != last}
