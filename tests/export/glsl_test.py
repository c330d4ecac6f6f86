"""Shaders match their networks in real players on software drivers."""

import os
import shutil
import subprocess
import unittest
from pathlib import Path

import av
import numpy as np
import pytest
import skimage
from absl.testing import absltest, parameterized

from kdsharp.errors import UserError
from kdsharp.export import glsl, libplacebo, network
from kdsharp.runtime import planes
from tests.export import random_networks

# Odd sizes are mirrored at the edge.
_EVEN, _ODD = (160, 240), (157, 203)


def _photograph(size: tuple[int, int], range_: str = "studio") -> np.ndarray:
    """The luma of a blurred photograph in studio range."""
    height, width = size
    grey = skimage.color.rgb2gray(skimage.data.astronaut()[40:, 120:])
    soft = skimage.filters.gaussian(grey[:height, :width], 1)
    black, span = (255 * level for level in glsl.LEVELS[range_])
    return np.round(black + span * soft).astype(np.uint8)


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
        text = glsl.shader(found, range_=range_, strength=options.get("strength", 1.0))
        path = Path(self.create_tempfile("shader.glsl", text).full_path)
        made = libplacebo.run(path, plane, range_=range_)
        wanted = _wanted(found, plane, **options)
        # A shader that changes nothing must fail.
        self.assertGreater(np.abs(wanted - plane).max(), 5)
        self.assertLessEqual(np.abs(made - wanted).max(), 2)

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

    def test_invalid_shaders_are_refused(self):
        path = Path(
            self.create_tempfile("bad.glsl", "//!HOOK LUMA\nnonsense").full_path
        )
        with self.assertRaisesRegex(UserError, "libplacebo rejects"):
            libplacebo.run(path, _photograph(_EVEN))


_DISPLAY = shutil.which("mpv") and shutil.which("xvfb-run")


@unittest.skipUnless(_DISPLAY, "not installed: mpv, xvfb-run")
class MpvTest(absltest.TestCase):
    def test_matches_onnxruntime_on_a_frame(self):
        found = network.of_weights("rt-s-call")
        plane = _photograph(_ODD)
        folder = Path(self.create_tempdir().full_path)
        _write(folder / "in.mkv", plane)
        (folder / "shader.glsl").write_text(glsl.shader(found))
        # mpv's video filter `gpu` renders like its windows.
        command = ["xvfb-run", "-a", "mpv", "--no-config", "--vf=gpu,format=rgb24"]
        command += ["--dither-depth=no", f"--glsl-shaders={folder / 'shader.glsl'}"]
        command += ["--of=rawvideo", "--ovc=rawvideo", f"--o={folder / 'out.raw'}"]
        ended = subprocess.run(
            [*command, str(folder / "in.mkv")],
            env=os.environ | {"EGL_PLATFORM": "x11"},
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


if __name__ == "__main__":
    absltest.main()
