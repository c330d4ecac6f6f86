"""Networks with a context match the Flax module in every backend."""

import dataclasses
import functools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from absl.testing import absltest, parameterized
from scipy import ndimage

from kdsharp.base import optional
from kdsharp.data import dead_leaves
from kdsharp.export import levels
from kdsharp.models import real_time
from kdsharp.runtime import backends, planes, restore
from kdsharp.runtime.gain_tracker import EVERY, GainTracker
from kdsharp.weights import store
from tests.export import random_networks
from tests.models import fast

_LUMA = dict(name="real_time", channels=1, width=8, context=8)
_SKIP = dict(name="real_time", channels=1, width=8, context=4, depth=4, skip=True)
_RGB = dict(name="real_time", channels=3, width=8, depth=3, context=8)
_INSTALLED = [name for name, entry in backends.BACKENDS.items() if entry.installed]
_BT601 = np.float32([[0.299], [0.587], [0.114]])


@functools.cache
def _picture(number: int = 0) -> np.ndarray:
    return dead_leaves.render(number, size=160, seed=4)


@functools.cache
def _network(backend: str, name: str) -> backends.Network:
    arguments = {"luma": _LUMA, "rgb": _RGB}[name]
    with tempfile.TemporaryDirectory() as folder:
        weights = store.load(random_networks.save(Path(folder), arguments))
    return backends.create(weights, backend=backend)


def _by_flax(arguments: dict, blurred: np.ndarray) -> np.ndarray:
    """Restores a whole picture with Flax: `[h, w, c]`, unclipped."""
    network = random_networks.create(arguments)
    seen = blurred
    if network.model.channels < blurred.shape[-1]:
        seen = blurred @ _BT601
    restored = fast.jit(network.model.apply)(network.variables, seen[None])
    return blurred + np.asarray(restored)[0]


def _gains(network, luma: np.ndarray) -> np.ndarray:
    model = network.model
    look = real_time.Context(model.width, model.context)
    params = {"params": network.params["context"]}
    return np.asarray(look.apply(params, luma[None, ..., None]))[0]


def _sharpener(backend: str, name: str, side: int) -> restore.Sharpener:
    network = dataclasses.replace(_network(backend, name), side=side)
    return restore.Sharpener("net", network, {})


class PicturesTest(parameterized.TestCase):
    @parameterized.product(backend=_INSTALLED, name=("luma", "rgb"))
    @pytest.mark.slow
    def test_each_picture_of_a_batch_has_its_own_gains(self, backend, name):
        arguments = {"luma": _LUMA, "rgb": _RGB}[name]
        network = _network(backend, name)
        pictures = np.stack([_picture(0)[:37, :50], _picture(1)[:37, :50] // 4])
        pictures = np.float32(pictures[..., : network.channels] / 255)
        found = network(pictures)
        for picture, restored in zip(pictures, found, strict=True):
            expected = _by_flax(arguments, picture)
            np.testing.assert_allclose(restored, expected, atol=1e-3)
        given = network(pictures[1:], np.ones((1, 8), np.float32))
        self.assertGreater(np.abs(given - found[1:]).max(), 1e-2)

    @parameterized.product(
        backend=_INSTALLED,
        name=("luma", "rgb"),
        size=((160, 150), (11, 3), (1, 1)),
    )
    @pytest.mark.slow
    def test_tiles_use_the_gains_of_the_whole_picture(self, backend, name, size):
        arguments = {"luma": _LUMA, "rgb": _RGB}[name]
        # One part of the picture is unlike the rest.
        picture = _picture().copy()
        picture[:80, :80] //= 8
        picture = picture[: size[0], : size[1]]
        expected = 255 * np.clip(_by_flax(arguments, np.float32(picture / 255)), 0, 1)
        self.assertGreater(np.abs(expected - picture).max(), 2)
        for side in (1024, 64):
            found = _sharpener(backend, name, side)(picture)
            np.testing.assert_allclose(found, expected, atol=0.51)

    @parameterized.product(backend=_INSTALLED)
    @pytest.mark.slow
    def test_grey_colour_and_alpha(self, backend):
        sharpen = _sharpener(backend, "luma", 64)
        rgb = _picture()[:90, :100]
        grey = rgb[..., 1]
        deep = grey.astype(np.uint16) * 257
        expected = _by_flax(_LUMA, np.float32(grey / 255)[..., None])[..., 0]
        expected = np.clip(expected, 0, 1)
        np.testing.assert_allclose(sharpen(grey), 255 * expected, atol=0.51)
        np.testing.assert_allclose(sharpen(deep), 65535 * expected, atol=4)
        opaque = np.dstack([rgb, np.full_like(grey, 255)])
        np.testing.assert_array_equal(sharpen(opaque)[..., :3], sharpen(rgb))
        # Colours under full transparency are invisible.
        holed = opaque.copy()
        holed[20:70, 10:60, 3] = 0
        other = holed.copy()
        other[20:70, 10:60, :3] = 255 - other[20:70, 10:60, :3]
        visible = holed[..., 3] > 0
        np.testing.assert_array_equal(sharpen(holed)[visible], sharpen(other)[visible])


class PlanesTest(parameterized.TestCase):
    @parameterized.product(
        backend=_INSTALLED,
        arguments=(_LUMA, _SKIP, _RGB),
        kind=(("studio", 8, 16, 235), ("full", 10, 0, 1023)),
    )
    def test_first_plane_matches_flax(self, backend, arguments, kind):
        range_, depth, black, white = kind
        network = random_networks.create(arguments)
        restore_plane = planes.create(
            *(network, 150, 160), backend=backend, range=range_, depth=depth
        )
        plane = _picture()[:, :150].astype(restore_plane.element) << (depth - 8)
        if len(restore_plane.shape) == 2:
            plane = plane[..., 1]
        blurred = (plane.astype(np.float32) - black) / (white - black)
        restored = _by_flax(arguments, blurred.reshape(160, 150, -1))
        restored = restored.reshape(plane.shape) * (white - black) + black
        expected = np.clip(restored, 0, 2**depth - 1)
        got = restore_plane(plane)
        self.assertGreater(np.abs(expected - plane).max(), 5)
        np.testing.assert_allclose(got, expected, atol=0.5 + 2e-2)

    @parameterized.parameters(*_INSTALLED)
    def test_luma_networks_leave_chroma_unchanged(self, backend):
        restore_plane = planes.create(
            *(random_networks.create(_LUMA), 150, 160),
            backend=backend,
            range="full",
            rgb=True,
        )
        frame = _picture()[:, :150]
        expected = 255 * np.clip(_by_flax(_LUMA, np.float32(frame / 255)), 0, 1)
        np.testing.assert_allclose(restore_plane(frame), expected, atol=0.51)

    @parameterized.parameters(*_INSTALLED)
    def test_start_sequence_resets_the_gains(self, backend):
        network = random_networks.create(_LUMA)
        restore_plane = planes.create(network, 160, 160, backend=backend)
        first, second = (np.clip(_picture()[..., c] // 2 + 32, 16, 235) for c in (0, 1))
        alone = planes.create(network, 160, 160, backend=backend)(second)
        restore_plane(first)
        restore_plane.start_sequence()
        np.testing.assert_array_equal(restore_plane(second), alone)

    @parameterized.parameters(*(name for name in _INSTALLED if name != "jax"))
    def test_int8_is_close_to_float32(self, backend):
        network = random_networks.with_context("rt-s-call")
        plane = _picture()[..., 1]
        full, reduced = (
            np.int32(planes.create(network, 160, 160, backend=backend, dtype=of)(plane))
            for of in ("float32", "int8")
        )
        self.assertGreater(np.abs(full - plane).mean(), 1)
        apart = np.abs(full - reduced)
        self.assertLess(apart.mean(), 1)
        self.assertLess(np.percentile(apart, 99), 6)

    @absltest.skipIf("openvino" not in _INSTALLED, "openvino is not installed")
    def test_all_convolutions_are_quantised(self):
        import openvino

        from kdsharp.export import int8, onnx_models

        network = random_networks.with_context("rt-s-call")
        found = int8.only_inputs(int8.quantization(network))
        graph = onnx_models.plane_model(network, 160, 160, quantization=found)
        core = openvino.Core()
        compiled = core.compile_model(
            core.read_model(graph.SerializeToString()),
            "CPU",
            {"INFERENCE_PRECISION_HINT": "f32"},
        )
        kinds = [
            op.get_rt_info()["runtimePrecision"].astype(str)
            for op in compiled.get_runtime_model().get_ops()
            if op.get_rt_info()["layerType"].astype(str) == "Convolution"
        ]
        self.assertLen(kinds, network.model.depth)
        self.assertContainsSubset(kinds, ["u8", "i8"])


@absltest.skipIf(
    not optional.installed("av", "openvino"), "av and openvino are not installed"
)
class VideoTest(absltest.TestCase):
    def test_a_file_matches_its_planes_in_order(self):
        import av

        from kdsharp.media.video import frames as of_frames
        from kdsharp.media.video import restore_file
        from kdsharp.media.video.encoding import Encoding
        from kdsharp.runtime.options import RestoreOptions

        folder = Path(self.create_tempdir().full_path)
        path = random_networks.save(folder, _LUMA)
        sequence = [_picture(n // 12)[..., 1] // (1 + n // 12) for n in range(24)]
        sequence = [np.clip(plane, 16, 235) for plane in sequence]
        source, outs = folder / "in.mkv", [folder / f"{n}.mkv" for n in range(2)]
        with av.open(str(source), "w") as made:
            stream = made.add_stream("ffv1", rate=25)
            stream.width = stream.height = 160
            stream.pix_fmt = "gray"
            for plane in sequence:
                frame = av.VideoFrame.from_ndarray(plane, "gray")
                frame.color_range = 1
                made.mux(stream.encode(frame))
            made.mux(stream.encode(None))
        for out in outs:
            restore_file.restore(
                source, out, RestoreOptions(model=path), Encoding(codec="ffv1")
            )
        first, second = (
            [
                of_frames.plane(frame).copy()
                for frame in av.open(str(out)).decode(video=0)
            ]
            for out in outs
        )
        restore_plane = planes.create(path, 160, 160)
        self.assertLen(first, len(sequence))
        for one, other, plane in zip(first, second, sequence, strict=True):
            np.testing.assert_array_equal(one, other)
            np.testing.assert_array_equal(one, restore_plane(plane))
        # The second scene does not depend on the first.
        restore_plane.start_sequence()
        np.testing.assert_array_equal(first[12], restore_plane(sequence[12]))


class GainTrackerTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.network = random_networks.create(_LUMA)
        self.levels = levels.of_video(8, "full")
        self.plane = _picture()[..., 1]
        # The same scene, slightly less sharp.
        self.softer = ndimage.gaussian_filter(self.plane, 1.0)

    def _follow(self, sequence) -> list[np.ndarray]:
        gain_tracker = GainTracker(self.network.params["context"], self.levels)
        return [gain_tracker(plane) for plane in sequence]

    def _of(self, plane) -> np.ndarray:
        return _gains(self.network, np.float32(plane / 255))

    def test_gains_are_smoothed(self):
        found = self._follow([self.plane] + [self.softer] * (2 * EVERY))
        first, then = self._of(self.plane), self._of(self.softer)
        self.assertGreater(np.abs(first - then).max(), 5e-3)
        for number, gains in enumerate(found):
            part = 0.5 ** (number // EVERY)
            expected = part * first + (1 - part) * then
            np.testing.assert_allclose(gains, expected, atol=1e-4)

    def test_a_scene_change_takes_effect_at_once(self):
        for factor in (1, 8):
            scenes = [_picture(n)[..., 1] // factor for n in range(4)]
            for number, gains in enumerate(self._follow(scenes)):
                np.testing.assert_allclose(gains, self._of(scenes[number]), atol=1e-4)

    def test_noise_and_small_motion_are_no_scene_change(self):
        random = np.random.default_rng(0)
        moved = np.roll(self.plane, 2, 1)
        noisy = np.clip(self.plane + random.normal(0, 3, self.plane.shape), 0, 255)
        first, *rest = self._follow([self.plane, moved, noisy.astype(np.uint8)])
        for gains in rest:
            np.testing.assert_array_equal(gains, first)

    def test_is_deterministic(self):
        sequence = [_picture(n // 5)[..., n % 3] for n in range(20)]
        for one, other in zip(*map(self._follow, (sequence, sequence)), strict=True):
            np.testing.assert_array_equal(one, other)


if __name__ == "__main__":
    absltest.main()
