"""Shaders match their networks in real players on software drivers."""

import os
import shutil
import subprocess
import unittest
from pathlib import Path
from unittest import mock

import av
import numpy as np
import pytest
import skimage
from absl.testing import absltest, parameterized
from PIL import Image

from kdsharp.errors import UserError
from kdsharp.export import glsl, libplacebo, network
from kdsharp.models import real_time
from kdsharp.runtime import planes
from tests import displays
from tests.cli.running import run
from tests.export import random_networks

# Odd sizes are mirrored at the edge.
_EVEN, _ODD = (160, 240), (157, 203)
_CONTEXT = dict(name="real_time", channels=1, width=8, context=8)


def _photograph(size: tuple[int, int], range_: str = "studio") -> np.ndarray:
    """The luma of a blurred photograph in studio range."""
    height, width = size
    grey = skimage.color.rgb2gray(skimage.data.astronaut()[40:, 120:])
    soft = skimage.filters.gaussian(grey[:height, :width], 1)
    black, span = (255 * level for level in glsl.LEVELS[range_])
    return np.round(black + span * soft).astype(np.uint8)


def _gains(
    found: network.TrainedNetwork, plane: np.ndarray, range_: str = "studio"
) -> np.ndarray | None:
    """The gains of a plane by the Flax module, if the network has a context."""
    if not found.has_context:
        return None
    black, span = (255 * level for level in glsl.LEVELS[range_])
    luma = np.float32((plane - black) / span)[None, ..., None]
    look = real_time.Context(found.model.width, found.model.context)
    return np.asarray(look.apply({"params": found.params["context"]}, luma))[0]


def _wanted(found: network.TrainedNetwork, plane: np.ndarray, **options) -> np.ndarray:
    height, width = plane.shape
    restorer = planes.create(found, width, height, backend="onnxruntime", **options)
    return restorer(plane).astype(int)


@unittest.skipUnless(
    libplacebo.available(), "not installed: ffmpeg with libplacebo, a Vulkan driver"
)
class LibplaceboTest(parameterized.TestCase):
    def _assert_near(self, found: network.TrainedNetwork, plane: np.ndarray, **options):
        range_ = options.get("range", "studio")
        strength = options.get("strength", 1.0)
        gains = _gains(found, plane, range_)
        text = glsl.shader(found, range_=range_, strength=strength, gains=gains)
        wanted = _wanted(found, plane, **options)
        # A shader that changes nothing must fail.
        self.assertGreater(np.abs(wanted - plane).max(), 5)
        made = self._made(text, plane, range_)
        self.assertLessEqual(np.abs(made - wanted).max(), 2)

    def _made(self, text: str, plane: np.ndarray, range_: str = "studio") -> np.ndarray:
        path = Path(self.create_tempfile("shader.glsl", text).full_path)
        return libplacebo.run(path, plane, range_=range_).astype(int)

    @parameterized.product(
        name=("rt-s-call", "rt-m-call", "rt-s-bicubic2"), size=(_EVEN, _ODD)
    )
    @pytest.mark.slow
    def test_matches_onnxruntime_on_a_photograph(self, name, size):
        self._assert_near(network.of_weights(name), _photograph(size))

    def test_full_range_and_strength(self):
        found = network.of_weights("rt-s-call")
        plane = _photograph(_ODD, "full")
        self._assert_near(found, plane, range="full", strength=1.5)

    def test_skip_learned_slopes_and_large_ends(self):
        found = random_networks.create(
            dict(
                name="real_time",
                channels=1,
                depth=4,
                width=4,
                ends=5,
                skip=True,
                learned_slope=True,
            )
        )
        self._assert_near(found, _photograph(_ODD))

    @parameterized.parameters(
        lambda: random_networks.with_context("rt-s-call"),
        lambda: random_networks.create(_CONTEXT),
        lambda: random_networks.create(
            {**_CONTEXT, "depth": 4, "skip": True, "convolution": "expanded"}
        ),
    )
    def test_gains_of_the_plane_itself(self, create):
        found, plane = create(), _photograph(_ODD)
        self._assert_near(found, plane)
        # Shaders with other gains must fail.
        other = glsl.shader(found, gains=np.ones(found.model.width))
        apart = np.abs(self._made(other, plane) - _wanted(found, plane))
        self.assertGreater(apart.max(), 5)

    def test_the_gains_of_one_frame_are_those_of_all(self):
        found = random_networks.create(_CONTEXT)
        like, plane = _photograph(_ODD), _photograph(_EVEN) // 4 + 12
        gains = _gains(found, like)
        restorer = planes.create(found, *plane.shape[::-1], backend="onnxruntime")
        with mock.patch.object(restorer.gain_tracker, "of", return_value=gains):
            wanted = restorer(plane).astype(int)
        self.assertGreater(np.abs(wanted - _wanted(found, plane)).max(), 5)
        made = self._made(glsl.shader(found, gains=gains), plane)
        self.assertLessEqual(np.abs(made - wanted).max(), 2)

    @parameterized.parameters("RGB", "L")
    def test_the_command_takes_the_gains_of_a_picture(self, mode):
        folder = Path(self.create_tempdir().full_path)
        weights = random_networks.save(folder, _CONTEXT)
        plane = _photograph(_ODD, "full")
        Image.fromarray(plane).convert(mode).save(folder / "frame.png")
        out = folder / "net.glsl"
        status, printed, complaints = run(
            *("export", weights, "--format", "glsl", "-o", out),
            *("--range", "full", "--like", folder / "frame.png"),
        )
        self.assertEqual((status, complaints), (0, ""))
        self.assertRegex(printed, "gains +of .*frame.png, for all frames")
        self.assertRegex(printed, "parity +differs from JAX by at most [012] grey")
        found = random_networks.create(_CONTEXT)
        made = self._made(out.read_text(), plane, "full")
        wanted = _wanted(found, plane, range="full")
        self.assertGreater(np.abs(wanted - plane).max(), 5)
        self.assertLessEqual(np.abs(made - wanted).max(), 2)

    def test_invalid_shaders_are_refused(self):
        path = Path(
            self.create_tempfile("bad.glsl", "//!HOOK LUMA\nnonsense").full_path
        )
        with self.assertRaisesRegex(UserError, "libplacebo rejects"):
            libplacebo.run(path, _photograph(_EVEN))


_DISPLAY = shutil.which("mpv") and shutil.which("Xvfb")


@unittest.skipUnless(_DISPLAY, "not installed: mpv, Xvfb")
class MpvTest(absltest.TestCase):
    def test_matches_onnxruntime_on_a_frame(self):
        found = network.of_weights("rt-s-call")
        plane = _photograph(_ODD)
        folder = Path(self.create_tempdir().full_path)
        _write(folder / "in.mkv", plane)
        (folder / "shader.glsl").write_text(
            glsl.shader(found, gains=_gains(found, plane))
        )
        # mpv's video filter `gpu` renders like its windows.
        command = ["mpv", "--no-config", "--vf=gpu,format=rgb24"]
        command += ["--dither-depth=no", f"--glsl-shaders={folder / 'shader.glsl'}"]
        command += ["--of=rawvideo", "--ovc=rawvideo", f"--o={folder / 'out.raw'}"]
        display = self.enterContext(displays.hidden())
        ended = subprocess.run(
            [*command, str(folder / "in.mkv")],
            env=os.environ | display | {"EGL_PLATFORM": "x11"},
            capture_output=True,
            text=True,
        )
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        rgb = np.fromfile(folder / "out.raw", np.uint8).reshape(*plane.shape, 3)
        black, span = (255 * level for level in glsl.LEVELS["studio"])
        luma = black + rgb[..., 1] / 255 * span
        wanted = _wanted(found, plane)
        shown = np.clip(wanted, black, black + span)
        self.assertGreater(np.abs(wanted - plane).max(), 5)
        self.assertLessEqual(np.abs(luma - shown).max(), 2)


def _write(path: Path, plane: np.ndarray) -> None:
    """A lossless video of one grey frame."""
    height, width = plane.shape
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=1, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv444p"
        frame = av.VideoFrame(width, height, "yuv444p")
        for tagged in (stream.codec_context, frame):
            tagged.color_range, tagged.colorspace = 1, 1
        for index, values in enumerate((plane, 128, 128)):
            lines = np.frombuffer(frame.planes[index], np.uint8).reshape(height, -1)
            lines[:, :width] = values
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


class RefusalTest(parameterized.TestCase):
    @parameterized.parameters("rt-l-photo", "dncnn8-call")
    def test_unsupported_networks_are_refused(self, name):
        with self.assertRaisesRegex(
            UserError, f"{name} cannot be exported as a shader"
        ):
            glsl.shader(network.of_weights(name))

    def test_networks_with_a_context_need_gains(self):
        found = random_networks.create(_CONTEXT)
        with self.assertRaisesRegex(
            UserError, "whole picture, which a shader cannot see: .* --like FILE"
        ):
            glsl.shader(found)


if __name__ == "__main__":
    absltest.main()
