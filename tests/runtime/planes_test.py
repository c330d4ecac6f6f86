"""Restored planes of video match the network on float pixels."""

import dataclasses
import functools
import threading
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import jax
import numpy as np
from absl.testing import absltest, parameterized

from kdsharp.errors import UserError
from kdsharp.export import openvino_core
from kdsharp.runtime import backends, planes
from tests import waiting
from tests.export import random_networks
from tests.models import fast

_LUMA = dict(name="real_time", channels=1, width=6)
_RGB = dict(name="dncnn", depth=3, width=6)
_INSTALLED = [name for name, entry in backends.BACKENDS.items() if entry.installed]


@functools.cache
def _restore(model):
    return fast.jit(model.apply)


def _by_numpy(network, plane, *, black, white, top, strength=1.0):
    """Restores a plane with Flax, in float."""
    x = (plane.astype(np.float32) - black) / (white - black)
    x = x[None, :, :, None] if x.ndim == 2 else x[None]
    seen = x
    if network.model.channels < x.shape[-1]:
        seen = x @ np.float32([[0.299], [0.587], [0.114]])
    residual = np.asarray(_restore(network.model)(network.variables, seen))
    x = (x + strength * residual)[0].reshape(plane.shape)
    return np.clip(x * (white - black) + black, 0, top)


@absltest.skipUnless("openvino" in _INSTALLED, "openvino is not installed")
class OneCoreTest(absltest.TestCase):
    def test_networks_share_the_core_of_the_process(self):
        import openvino

        # Cores that end while others compute damage memory.
        openvino_core.core.cache_clear()
        self.addCleanup(openvino_core.core.cache_clear)
        with mock.patch.object(openvino, "Core", side_effect=openvino.Core) as cores:
            for _ in range(2):
                planes.create(random_networks.create(_LUMA), 13, 9, backend="openvino")
        cores.assert_called_once()


class PlanesTest(parameterized.TestCase):
    @parameterized.product(
        backend=_INSTALLED,
        arguments=(_LUMA, _RGB),
        kind=(
            ("studio", 8, dict(black=16, white=235, top=255)),
            ("full", 8, dict(black=0, white=255, top=255)),
            ("studio", 10, dict(black=64, white=940, top=1023)),
            ("full", 10, dict(black=0, white=1023, top=1023)),
        ),
    )
    def test_matches_flax_within_rounding(self, backend, arguments, kind):
        network = random_networks.create(arguments)
        range_, depth, levels = kind
        restore = planes.create(
            *(network, 13, 9),
            backend=backend,
            range=range_,
            depth=depth,
            strength=0.7,
        )
        random = np.random.default_rng(0)
        plane = random.integers(0, 2**depth, restore.shape, restore.element)
        expected = _by_numpy(network, plane, strength=0.7, **levels)
        self.assertGreater(np.abs(expected - plane).max(), 5)
        got = restore(plane)
        self.assertEqual((got.shape, got.dtype), (plane.shape, plane.dtype))
        np.testing.assert_allclose(got, expected, atol=0.5 + 5e-3)

    @parameterized.parameters(*_INSTALLED)
    def test_luma_networks_leave_chroma_unchanged(self, backend):
        network = random_networks.create(_LUMA)
        restore = planes.create(
            network, 15, 11, backend=backend, range="full", rgb=True
        )
        frame = np.random.default_rng(0).integers(0, 256, (11, 15, 3), np.uint8)
        expected = _by_numpy(network, frame, black=0, white=255, top=255)
        np.testing.assert_allclose(restore(frame), expected, atol=0.5 + 5e-3)

    @parameterized.parameters(*_INSTALLED)
    def test_accepts_strided_and_read_only_planes(self, backend):
        restore = planes.create(random_networks.create(_LUMA), 14, 10, backend=backend)
        random = np.random.default_rng(0)
        plane = random.integers(0, 256, (10, 14), np.uint8)
        expected = restore(plane)
        # Padded lines, as decoders use, in a read-only array.
        wide = np.zeros((10, 32), np.uint8)
        wide[:, :14] = plane
        wide.setflags(write=False)
        np.testing.assert_array_equal(restore(wide[:, :14]), expected)
        plane.setflags(write=False)
        for out in (np.zeros((10, 14), np.uint8), np.zeros((10, 32), np.uint8)[:, :14]):
            self.assertIs(restore(plane, out), out)
            np.testing.assert_array_equal(out, expected)
        # Earlier results are not overwritten.
        again = restore(255 - plane)
        np.testing.assert_array_equal(restore(plane), expected)
        self.assertFalse(np.array_equal(again, expected))

    @parameterized.product(backend=_INSTALLED, parallel=(1, 2, 3))
    def test_planes_started_together_are_restored_as_alone(self, backend, parallel):
        network = random_networks.create(_LUMA)
        alone = planes.create(network, 33, 21, backend=backend)
        restore = planes.create(network, 33, 21, backend=backend, parallel=parallel)
        random = np.random.default_rng(0)
        given = [random.integers(0, 256, (21, 33), np.uint8) for _ in range(12)]
        # They may be asked for in any order.
        started = list(enumerate(map(restore.start, given)))
        for index, wait in reversed(started):
            np.testing.assert_array_equal(wait(), alone(given[index]))

    def test_planes_started_together_are_a_sequence(self):
        gate = threading.Event()

        def run(plane, out, gains):
            self.assertTrue(gate.wait(waiting.PATIENCE))
            return plane + np.uint8(gains[0, 0, 0, 0])

        # The gains of a plane depend on how many were before it.
        tracker = mock.Mock(side_effect=[np.array([gain]) for gain in range(5)])
        with ThreadPoolExecutor(2) as pool:
            restore = planes.PlaneRestorer(
                (4, 6), np.uint8, "jax", run, pool, gain_tracker=tracker
            )
            given = [np.full((4, 6), 10 * turn, np.uint8) for turn in range(5)]
            started = [restore.start(plane) for plane in given]
            # The network has not restored any of them yet.
            self.assertEqual(tracker.call_count, 5)
            gate.set()
            for turn, wait in enumerate(started):
                np.testing.assert_array_equal(wait(), given[turn] + turn)

    def test_starting_refuses_planes_of_another_shape(self):
        restore = planes.create(random_networks.create(_LUMA), 8, 6, backend="jax")
        with self.assertRaisesRegex(ValueError, r"not of uint8 \(6, 8\)"):
            restore.start(np.zeros((8, 6), np.uint8))

    @parameterized.parameters(
        *(
            (name, dtype, 6 if dtype == "int8" else 3)
            for name in _INSTALLED
            for dtype in backends.BACKENDS[name].dtypes
            if dtype != "float32"
        )
    )
    def test_reduced_precision_is_close_to_float32(self, name, dtype, tolerance):
        if not backends.BACKENDS["onnxruntime"].installed:
            self.skipTest("onnxruntime, which calibrates, is not installed")
        from kdsharp.data import dead_leaves

        plane = dead_leaves.render(0, size=64, seed=3)[..., 1]
        full, reduced = (
            planes.create("rt-s-call", 64, 64, backend=name, dtype=of)(plane)
            for of in ("float32", dtype)
        )
        apart = np.abs(np.int32(full) - reduced)
        self.assertLess(apart.mean(), 1)
        self.assertLess(np.percentile(apart, 99), tolerance)

    @parameterized.parameters(
        (dict(backend="cuda"), "unknown backend 'cuda'; choose one of: auto, openvino"),
        (dict(dtype="int4"), "unknown dtype 'int4'"),
        (dict(backend="jax", dtype="int8"), "backend 'jax' does not compute in int8"),
        (dict(range="pc"), "unknown range 'pc'; choose one of: studio, full"),
        (dict(depth=12), "12 bits cannot be restored: give 8 or 10"),
    )
    def test_user_errors_are_one_sentence(self, options, words):
        with self.assertRaisesRegex(UserError, words):
            planes.create(random_networks.create(_LUMA), 8, 8, **options)

    def test_refuses_planes_of_another_shape(self):
        restore = planes.create(random_networks.create(_LUMA), 8, 6, backend="jax")
        for wrong in (np.zeros((8, 6), np.uint8), np.zeros((6, 8), np.float32)):
            with self.assertRaisesRegex(ValueError, r"not of uint8 \(6, 8\)"):
                restore(wrong)

    def test_works_with_only_jax_installed(self):
        kept = dict(backends.BACKENDS)
        try:
            for name in ("openvino", "onnxruntime"):
                backends.BACKENDS[name] = dataclasses.replace(
                    kept[name], needs=("no_such_package",)
                )
            self.assertEqual(backends.choose("auto", "float32"), "jax")
            with self.assertRaisesRegex(UserError, r"pip install 'kdsharp\[onnx\]'"):
                backends.choose("onnxruntime", "float32")
            with self.assertRaisesRegex(UserError, r"computes in int8: pip install"):
                backends.choose("auto", "int8")
        finally:
            backends.BACKENDS.update(kept)


class JaxTransfersTest(parameterized.TestCase):
    @parameterized.parameters(_LUMA, _RGB)
    def test_a_plane_goes_up_once_and_comes_back_once_as_integers(self, **arguments):
        restore = planes.create(
            random_networks.create(arguments), 12, 8, backend="jax", strength=0.7
        )
        plane = np.random.default_rng(0).integers(0, 256, restore.shape, np.uint8)
        expected = restore(plane)
        moved = {}

        def watched(move, direction):
            def call(tree, *where):
                arrays = moved.setdefault(direction, [])
                arrays += [
                    (leaf.dtype.name, leaf.size) for leaf in jax.tree.leaves(tree)
                ]
                return move(tree, *where)

            return call

        # Whatever moves without being asked to raises an error.
        with (
            jax.transfer_guard("disallow"),
            mock.patch.object(jax, "device_put", watched(jax.device_put, "up")),
            mock.patch.object(jax, "device_get", watched(jax.device_get, "back")),
        ):
            for _ in range(3):
                np.testing.assert_array_equal(restore(plane), expected)
        once = [("uint8", plane.size)] * 3
        self.assertEqual(moved, {"up": once, "back": once})


class NetworksTest(parameterized.TestCase):
    @parameterized.product(
        backend=[name for name in _INSTALLED if name != "jax"],
        arguments=(_LUMA, _RGB, dict(name="unet", widths=(4, 6))),
    )
    def test_backends_match_jax_at_any_size(self, backend, arguments):
        folder = self.create_tempdir()
        from pathlib import Path

        from kdsharp.weights import store

        weights = store.load(random_networks.save(Path(folder.full_path), arguments))
        network = backends.create(weights, backend=backend)
        by_jax = backends.create(weights, backend="jax")
        for size in ((1, 5, 8), (2, 13, 10)):
            pixels = np.random.default_rng(0).random(
                (*size, network.channels), np.float32
            )
            np.testing.assert_allclose(network(pixels), by_jax(pixels), atol=1e-5)
        self.assertEqual(
            (network.radius, network.multiple), (by_jax.radius, by_jax.multiple)
        )


if __name__ == "__main__":
    absltest.main()
