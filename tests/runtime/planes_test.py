"""Restored planes of video match the network on float pixels."""

import dataclasses
import functools
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized

from kdsharp.errors import UserError
from kdsharp.export import openvino_core
from kdsharp.runtime import backends, planes
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
