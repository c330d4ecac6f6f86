"""Eight bits: the range of what goes into each convolution, seen on pictures.

Kernels take a step for each filter, what goes into them one step in all. What the
network adds to is not rounded, nor are sums.
"""

import contextlib
import hashlib
import json
from collections.abc import Sequence

import numpy as np
from flax.traverse_util import flatten_dict

from kdsharp.base import atomic_files, optional
from kdsharp.base.cache import cache_folder
from kdsharp.export import onnx_models, trial
from kdsharp.export.graph import BEFORE
from kdsharp.export.network import TrainedNetwork
from kdsharp.export.onnx_models import Ranges
from kdsharp.export.trial import TrialPair

# To be raised when the same pictures give other ranges.
_VERSION = 1

# Of the values seen, one in so many counts.
_EVERY = 7
_PARTS = np.linspace(0.5, 1, 11)


def ranges(network: TrainedNetwork) -> Ranges:
    """Returns the ranges on generated pictures, kept for the next time."""
    kept = cache_folder() / "ranges" / f"{_fingerprint(network)}.json"
    try:
        return {
            name: tuple(ends) for name, ends in json.loads(kept.read_text()).items()
        }
    except (OSError, ValueError, AttributeError, TypeError):
        found = calibrate(network, trial.pairs(network))
    with contextlib.suppress(OSError):  # Then it is found anew each time.
        atomic_files.write_text(kept, json.dumps(found))
    return found


def _fingerprint(network: TrainedNetwork) -> str:
    """Returns what changes with anything that ranges depend on."""
    told = json.dumps([_VERSION, network.version, network.card], default=str)
    content = hashlib.sha256(told.encode())
    for path, value in sorted(flatten_dict(network.params, sep="/").items()):
        content.update(path.encode())
        content.update(np.ascontiguousarray(value).tobytes())
    return content.hexdigest()[:32]


def calibrate(network: TrainedNetwork, pairs: Sequence[TrialPair]) -> Ranges:
    """Returns the least and the most of all that is rounded, on these pictures.

    Sharp ones are looked at, too: the network will meet some.
    """
    _, onnxruntime = optional.require(
        "onnx", "onnxruntime", purpose="calibrating 8 bits"
    )
    graph, watched = onnx_models.watched(network)
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
    """Returns the range that rounds these with the least squared error.

    A few extremes beyond it cost less than coarser steps for all the rest.
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


def of_inputs(ranges: Ranges) -> Ranges:
    """Returns the ranges of convolutions' inputs alone.

    OpenVINO computes a leaky ReLU together with the convolution before it, and rounds
    once; onnxruntime computes in 8 bits only between two roundings.
    """
    return {k: v for k, v in ranges.items() if not k.startswith(BEFORE)}


def of_constants(ranges: Ranges, network: TrainedNetwork) -> Ranges:
    """Returns the ranges without that of a convolution whose kernel gains may change.

    In float32 onnxruntime takes less time for it than to multiply its input by gains.
    """
    last = f"conv{network.model.depth}" if network.has_context else ""
    return {k: v for k, v in ranges.items() if k != last}
