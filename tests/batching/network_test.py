"""Beam's handler matches the runtime for a network with a context."""

import pickle
from pathlib import Path

import numpy as np
from absl.testing import absltest

from kdsharp.base import optional
from kdsharp.data import dead_leaves
from kdsharp.runtime import restore
from tests.export import random_networks


@absltest.skipIf(
    not optional.installed("apache_beam", "onnx", "onnxruntime"),
    "apache_beam, onnx and onnxruntime are not installed",
)
class HandlerTest(absltest.TestCase):
    def test_each_picture_has_its_own_gains(self):
        from kdsharp.batching import network

        folder = Path(self.create_tempdir().full_path)
        path = random_networks.save(
            folder, dict(name="real_time", channels=1, width=6, context=4)
        )
        graph, shape = network.export(path)
        (folder / "net.onnx").write_bytes(graph)
        handler = network.Handler(
            str(folder / "net.onnx"),
            pickle.loads(pickle.dumps(shape)),
            strength=1.0,
            unsharp=0.0,
        )
        session = handler.load_model()
        sharpen = restore.load(path, backend="onnxruntime")
        batch = [dead_leaves.render(n, size=64, seed=8) // (1 + 3 * n) for n in (0, 1)]
        for result in handler.run_inference(batch, session):
            sharp = sharpen(result.example)
            self.assertGreater(np.abs(sharp.astype(int) - result.example).max(), 3)
            np.testing.assert_array_equal(result.inference, sharp)


if __name__ == "__main__":
    absltest.main()
