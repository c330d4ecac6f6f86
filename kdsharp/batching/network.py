"""The network of a batch: exported once, run by Beam's handler of ONNX models."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import onnxruntime
from apache_beam.io.filesystems import FileSystems
from apache_beam.ml.inference.base import PredictionResult
from apache_beam.ml.inference.onnx_inference import OnnxModelHandlerNumpy

from kdsharp import models
from kdsharp.errors import UserError
from kdsharp.export import network, onnx_models
from kdsharp.runtime import backends, restore, tiling
from kdsharp.runtime import options as restore_options
from kdsharp.weights import store


@dataclasses.dataclass(frozen=True)
class Shape:
    """What of a network says how its pictures are cut."""

    channels: int
    radius: int
    multiple: int
    side: int
    context: dict | None = None


@dataclasses.dataclass(frozen=True)
class Failure:
    """Why a picture was not sharpened."""

    reason: str


def export(model: str) -> tuple[bytes, Shape]:
    """Returns the ONNX model of weights by name, file or run: what onnxruntime runs."""
    weights = store.load(model or restore_options.DEFAULT)
    whole = network.of_weights(weights)
    looks = models.receptive_field(whole.model)
    graph = onnx_models.batch_model(whole, clip=False, gains_given=True)
    shape = Shape(
        whole.model.channels,
        looks.radius,
        looks.multiple,
        tiling.best_side(looks.bytes_per_pixel),
        whole.params["context"] if whole.has_context else None,
    )
    return graph.SerializeToString(), shape


class Handler(OnnxModelHandlerNumpy):
    """Beam's handler, given whole pictures of any size and kind."""

    def __init__(
        self, model_uri: str, shape: Shape, *, strength: float, unsharp: float
    ):
        super().__init__(model_uri, max_batch_size=1)
        self._shape = shape
        self._wish = {"strength": strength, "unsharp": unsharp}

    def load_model(self) -> onnxruntime.InferenceSession:
        """Returns the session; it has the cores that its worker has."""
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        with FileSystems.open(self._model_uri) as file:
            return onnxruntime.InferenceSession(
                file.read(), options, providers=["CPUExecutionProvider"]
            )

    def run_inference(
        self,
        batch: Sequence[np.ndarray],
        inference_session: onnxruntime.InferenceSession,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[PredictionResult]:
        """Returns the sharp pictures; in place of one that cannot be, why."""

        def run(blurred: np.ndarray, gains: np.ndarray | None = None) -> np.ndarray:
            given = {onnx_models.INPUT: blurred}
            if gains is not None:
                given[onnx_models.GAINS] = gains[:, :, None, None]
            return inference_session.run(None, given)[0]

        sharpener = restore.Sharpener(
            "", backends.Network(run, **dataclasses.asdict(self._shape)), {}
        )
        for pixels in batch:
            try:
                yield PredictionResult(pixels, sharpener(pixels, **self._wish))
            except UserError as error:
                yield PredictionResult(pixels, Failure(str(error)))
            except MemoryError:
                reason = "it does not fit into memory"
                yield PredictionResult(pixels, Failure(reason))

    def get_num_bytes(self, batch: Sequence[np.ndarray]) -> int:
        return sum(pixels.nbytes for pixels in batch)
