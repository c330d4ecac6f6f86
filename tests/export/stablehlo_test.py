"""StableHLO archives, reloaded in a process without kdsharp."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from kdsharp.export import stablehlo
from tests.export import random_networks
from tests.models import fast

_SIZES = ((1, 1, 1), (2, 13, 10))

_CODE = """
import sys, zipfile, numpy
from jax import export
archive, given, wanted = sys.argv[1:]
with zipfile.ZipFile(archive) as zipped:
    restore = export.deserialize(bytearray(zipped.read("program.bin"))).call
found = {name: restore(x) for name, x in numpy.load(given).items()}
assert not any(name.startswith("kdsharp") for name in sys.modules)
numpy.savez(wanted, **found)
"""


class StableHloTest(parameterized.TestCase):
    # One of each family, because XLA compiles slowly.
    @parameterized.parameters(
        *{a["name"]: a for a in random_networks.ARGUMENTS}.values()
    )
    @pytest.mark.slow
    def test_matches_flax_at_any_size(self, **arguments):
        network = random_networks.create(arguments)
        path = Path(self.create_tempfile("net.stablehlo").full_path)
        path.write_bytes(stablehlo.archive(network, "float", "float32"))
        restore = stablehlo.load(path)
        pixels = np.random.default_rng(0).random(
            (2, 13, 10, network.model.channels), np.float32
        )
        residual = fast.jit(network.model.apply)(network.variables, pixels)
        np.testing.assert_allclose(
            restore(pixels), np.clip(pixels + residual, 0, 1), atol=1e-5
        )

    @pytest.mark.slow
    def test_runs_in_a_process_without_kdsharp(self):
        network = random_networks.create(dict(name="real_time", channels=1, width=6))
        folder = Path(self.create_tempdir().full_path)
        path = folder / "net.stablehlo"
        path.write_bytes(stablehlo.archive(network, "uint8", "float32"))
        random = np.random.default_rng(0)
        given = {
            str(number): random.integers(0, 256, (*size, 1), np.uint8)
            for number, size in enumerate(_SIZES)
        }
        np.savez(folder / "given.npz", **given)
        subprocess.run(
            [sys.executable, "-c", _CODE, path, folder / "given.npz", folder / "got"],
            check=True,
        )
        got = np.load(folder / "got.npz")
        for name, pixels in given.items():
            blurred = pixels / np.float32(255)
            residual = fast.jit(network.model.apply)(network.variables, blurred)
            expected = np.clip(255 * (blurred + residual), 0, 255)
            self.assertEqual(got[name].dtype, np.uint8)
            np.testing.assert_allclose(got[name], expected, atol=0.5 + 1e-3)
        with zipfile.ZipFile(path) as zipped:
            told = json.loads(zipped.read("card.json"))
            self.assertEqual(zipped.read("program.mlir")[:4], b"ML\xefR")
        self.assertEqual(told["degradation"], "gaussian:1")


if __name__ == "__main__":
    absltest.main()
