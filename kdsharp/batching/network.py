"""The exported network, run by Beam's handler for ONNX models."""

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
    """The properties of a network that tiling needs."""

    channels: int
    radius: int
    multiple: int
    side: int
    context: dict | None = None


@dataclasses.dataclass(frozen=True)
class Failure:
    """Why a picture could not be sharpened."""

    reason: str


def export(model: str) -> tuple[bytes, Shape]:
    """Exports a network, given by name, file or run, to ONNX for onnxruntime."""
    weights = store.load(model or restore_options.DEFAULT)
    trained = network.of_weights(weights)
    field = models.receptive_field(trained.model)
    graph = onnx_models.batch_model(trained, clip=False, gains_given=True)
    shape = Shape(
        trained.model.channels,
        field.radius,
        field.multiple,
        tiling.best_side(field.bytes_per_pixel),
        trained.params["context"] if trained.has_context else None,
    )
    return graph.SerializeToString(), shape


class Handler(OnnxModelHandlerNumpy):
    """Beam's model handler, which takes pictures of any size and type."""

    def __init__(
        self, model_uri: str, shape: Shape, *, strength: float, unsharp: float
    ):
        super().__init__(model_uri, max_batch_size=1)
        self._shape = shape
        self._amounts: dict[str, Any] = {"strength": strength, "unsharp": unsharp}

    def load_model(self) -> onnxruntime.InferenceSession:
        """Loads the model in a worker."""
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
        """Sharpens pictures; yields a Failure for those that cannot be."""

        def run(blurred: np.ndarray, gains: np.ndarray | None = None) -> np.ndarray:
            given = {onnx_models.INPUT: blurred}
            if gains is not None:
                given[onnx_models.GAINS] = gains[:, :, None, None]
            return np.asarray(inference_session.run(None, given)[0])

        sharpener = restore.Sharpener(
            "", backends.Network(run, **dataclasses.asdict(self._shape)), {}
        )
        for pixels in batch:
            try:
                yield PredictionResult(pixels, sharpener(pixels, **self._amounts))
            except UserError as error:
                yield PredictionResult(pixels, Failure(str(error)))
            except MemoryError:
                reason = "not enough memory"
                yield PredictionResult(pixels, Failure(reason))

    def get_num_bytes(self, batch: Sequence[np.ndarray]) -> int:
        return sum(pixels.nbytes for pixels in batch)
