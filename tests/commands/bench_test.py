"""`kdsharp bench`: backends against NumPy, hand-counted operations, the command."""

import json
import re
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from kdsharp.commands import bench
from kdsharp.errors import UserError
from kdsharp.evaluation import text
from kdsharp.evaluation.bench import backends, claims, operations, worker
from tests.cli import running
from tests.evaluation import networks


def _frames(height: int = 9, width: int = 14) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, height, width, 3), np.uint8)


def _second_derivative(x: np.ndarray) -> np.ndarray:
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
    return x - padded[:, :, :-2] / 2 - padded[:, :, 2:] / 2


class BackendsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(self.create_tempdir().full_path)

    @parameterized.parameters(
        (name, dtype)
        for name, backend in backends.BACKENDS.items()
        for dtype in backend.dtypes
        # A kernel of mostly zeros is unsuitable for calibration.
        if dtype != "int8" and name != "torch-compiled"
    )
    def test_matches_numpy(self, name, dtype):
        backend = backends.BACKENDS[name]
        if not backend.installed:
            self.skipTest(f"{name} is not installed")
        path = networks.save(self.folder, "net", gain=0.25)
        subject = backends.Subject("net", weights=str(path))
        run = backend.create(subject, backends.Settings(dtype=dtype))
        frames = _frames()
        blurred = frames / 255
        expected = blurred + 0.25 * _second_derivative(blurred)
        expected = np.round(np.clip(expected, 0, 1) * 255)
        tolerance = 1 if dtype == "float32" else 3
        np.testing.assert_allclose(run(frames), expected, atol=tolerance)

    def test_luma_networks_leave_chroma_unchanged(self):
        path = networks.save(self.folder, "net", channels=1, gain=0.25)
        subject = backends.Subject("net", weights=str(path))
        frames = _frames()
        blurred = frames / 255
        luma = blurred @ np.array([[0.299], [0.587], [0.114]])
        expected = blurred + 0.25 * _second_derivative(luma)
        expected = np.round(np.clip(expected, 0, 1) * 255)
        got = backends.BACKENDS["jax"].create(subject, backends.Settings())(frames)
        np.testing.assert_allclose(got, expected, atol=1)

    @parameterized.parameters(
        name
        for name, backend in backends.BACKENDS.items()
        if name not in ("jax", "torch-compiled")
    )
    def test_planes_match_jax(self, name):
        if not backends.BACKENDS[name].installed:
            self.skipTest(f"{name} is not installed")
        subject = backends.Subject(
            "net", model={"name": "real_time", "channels": 1, "depth": 3, "width": 4}
        )
        frames = _frames(12, 14)[..., 0]
        settings = backends.Settings(pixels="plane")
        got, expected = (
            backends.BACKENDS[backend].create(subject, settings)(frames)
            for backend in (name, "jax")
        )
        self.assertGreater(np.std(np.float32(expected)), 1)
        np.testing.assert_allclose(np.float32(got), np.float32(expected), atol=1)

    @parameterized.parameters(
        ({"name": "light_cnn", "widths": [4, 5]},),
        ({"name": "plain_cnn", "depth": 3, "width": 4},),
        ({"name": "dncnn", "depth": 4, "width": 4, "norm_after": [2]},),
    )
    def test_pytorch_matches_jax(self, model):
        if not backends.BACKENDS["torch"].installed:
            self.skipTest("torch is not installed")
        subject = backends.Subject("net", model=model)
        got, expected = (
            backends.BACKENDS[name].create(subject, backends.Settings())(_frames())
            for name in ("torch", "jax")
        )
        self.assertGreater(np.std(np.float32(expected)), 1)
        np.testing.assert_allclose(np.float32(got), np.float32(expected), atol=1)

    def test_pytorch_matches_jax_with_skip_and_learned_slopes(self):
        if not backends.BACKENDS["torch"].installed:
            self.skipTest("torch is not installed")
        model = {"name": "real_time", "channels": 1, "depth": 4, "width": 4}
        model |= {"skip": True, "learned_slope": True, "ends": 5}
        subject = backends.Subject("net", model=model)
        settings = backends.Settings(pixels="plane")
        frames = _frames(12, 14)[..., 0]
        got, expected = (
            backends.BACKENDS[name].create(subject, settings)(frames)
            for name in ("torch", "jax")
        )
        self.assertGreater(np.std(np.float32(expected)), 1)
        np.testing.assert_allclose(np.float32(got), np.float32(expected), atol=1)
        refused = backends.BACKENDS["ncnn"].refuses(model, settings)
        self.assertIn("without a skip", refused)

    def test_pytorch_refuses_unsupported_networks(self):
        self.assertIn(
            "dncnn",
            backends.BACKENDS["torch"].refuses({"name": "unet"}, backends.Settings()),
        )


class CountTest(parameterized.TestCase):
    @parameterized.parameters((8, 32, 40, 64), (17, 64, 24, 24))
    def test_operations_per_frame_match_a_hand_count(
        self, depth, width, height, columns
    ):
        # Nine taps per pixel, fewer at borders: 3n - 2 instead of 3n along each axis.
        taps = (3 * height - 2) * (3 * columns - 2)
        products = taps * (2 * 3 * width + (depth - 2) * width**2)
        # The mean, and a bias and a ReLU for each value of each layer.
        rest = height * columns * (3 + 2 * width * (depth - 1) + 3)
        model = {"name": "dncnn", "depth": depth, "width": width, "norm_after": ()}
        counted = operations.per_frame(model, height, columns)
        self.assertAlmostEqual(counted / (2 * products + rest), 1, delta=1e-3)

    def test_first_claim_states_gflop_and_multiple_of_peak(self):
        first, *_ = claims.describe(720, 1280, peak=100.0)
        cost = 2 * 9 * (2 * 3 * 32 + 6 * 32**2) * 720 * 1280 / 1e9
        found = re.search(r"720 (.*) GFLOP per frame.* (.*) times the peak", first)
        self.assertAlmostEqual(float(found[1]) / cost, 1, delta=0.01)
        self.assertAlmostEqual(float(found[2]) / (cost * 42 / 100), 1, delta=0.01)


class SizeTest(parameterized.TestCase):
    @parameterized.parameters(
        ("720p", 1280, 720), ("1080p", 1920, 1080), ("640x36", 640, 36)
    )
    def test_accepts_names_and_numbers(self, name, width, height):
        self.assertEqual(bench.resolution(name), (width, height))

    @parameterized.parameters("721p", "0x3", "x", "")
    def test_refuses_invalid_sizes(self, name):
        with self.assertRaisesRegex(UserError, "720p, 1080p.*WIDTHxHEIGHT"):
            bench.resolution(name)


class WorkerTest(parameterized.TestCase):
    def _contender(self, threads: int = 0) -> worker.Contender:
        subject = backends.Subject("net", weights="nowhere")
        settings = backends.Settings(threads)
        return worker.Contender("jax", subject, settings, 1, 8, 8)

    @parameterized.parameters((0, "no weights 'nowhere'"), (9999, "more than the"))
    def test_failure_states_the_reason(self, threads, message):
        with self.assertRaisesRegex(worker.WorkerLost, message):
            worker.Worker(self._contender(threads))

    def test_peak_memory_excludes_the_parent_process(self):
        # This process has loaded JAX; the child has not.
        held = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        code = "from kdsharp.base import machine; print(machine.peak_memory() / 1e6)"
        told = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        )
        self.assertLess(float(told.stdout), held / 2)


class CommandTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(self.create_tempdir().full_path)
        self.net = networks.save(self.folder, "net", gain=0.25)

    @pytest.mark.slow
    def test_measures_what_it_can_and_names_the_rest(self):
        if not backends.BACKENDS["torch"].installed:
            self.skipTest("torch is not installed")
        luma = networks.save(self.folder, "luma", channels=1)
        status, printed, complaints = running.run(
            *("bench", "--weights", luma, "lost", "--size", "32x16"),
            *("--backend", "jax", "torch", "--frames", 3, "--threads", 1),
            *("--batch", 2, "--out", self.folder / "out"),
        )
        self.assertEqual(status, 1)
        self.assertIn("lost: no weights", complaints)
        self.assertIn(
            "luma by torch: it runs luma networks only with --pixels plane",
            complaints,
        )
        found = json.loads((self.folder / "out" / "speed.json").read_text())
        (size,) = found["sizes"]
        timed = {(row["network"], row["backend"]): row for row in size["rows"]}
        # One backend is enough here; `BackendsTest` covers the others.
        self.assertSameElements(timed, [("luma", "jax")])
        for row in timed.values():
            self.assertLen(row["seconds"], 3)
            median = np.median(row["seconds"])
            self.assertAlmostEqual(row["frames_per_second"], 2 / median)
            self.assertAlmostEqual(
                row["gflop_per_second"], row["gflop_per_frame"] * 2 / median
            )
            self.assertGreater(row["first_frame_s"], median)
            self.assertGreater(row["memory_mb"], 50)
        self.assertGreater(size["peak_gflop_per_second"], 1)
        self.assertIn("times the peak here", printed)
        self.assertIn("| luma ", (self.folder / "out" / "speed.md").read_text())

    @parameterized.parameters(
        (("--size", "big"), "unknown size 'big'"),
        (("--dtype", "int4"), "unknown dtype 'int4'"),
        (("--backend", "cuda"), "unknown backend 'cuda'"),
        (("--batch", "0"), "--batch must be at least 1, not 0"),
        (("--seconds", "0"), "--seconds must be greater than 0, not 0"),
    )
    def test_user_errors_are_one_sentence(self, arguments, message):
        status, printed, complaints = running.run(
            "bench", "--weights", self.net, *arguments
        )
        self.assertEqual((status, printed), (2, ""))
        self.assertIn(message, complaints)
        self.assertLen(complaints.splitlines(), 1)

    def test_requires_a_network(self):
        status, _, complaints = running.run("bench")
        self.assertEqual(status, 2)
        self.assertIn("give --weights or --config", complaints)


class TextTest(absltest.TestCase):
    def test_table_aligns_columns(self):
        self.assertEqual(
            text.table([["", "n"], ["long", "1"], ["a", "22"]]),
            "|      |  n |\n| ---- | -: |\n| long |  1 |\n| a    | 22 |",
        )


if __name__ == "__main__":
    absltest.main()
