"""Virtual cameras, by pyvirtualcam's own interface for cameras."""

import pathlib
import tempfile
from unittest import mock

import av
import numpy as np
from absl.testing import absltest

from kdsharp.base import optional
from kdsharp.errors import UserError
from kdsharp.media.video.encoding import Encoding
from kdsharp.media.video.live import cameras, outputs, streaming
from kdsharp.runtime.options import RestoreOptions
from tests.cli.running import run
from tests.media.video import films
from tests.media.video.films import HEIGHT, WIDTH, Picture, view

if optional.installed("pyvirtualcam"):
    import pyvirtualcam
    from pyvirtualcam import camera as of_pyvirtualcam


class _Shown:
    """A camera that keeps what it is shown; pyvirtualcam checks all it is given."""

    last = None

    def __init__(self, *, width, height, fps, fourcc, device, **others):
        assert not others
        self.size, self.rate, self.fourcc = (width, height), fps, fourcc
        self.frames, self.closed = [], 0
        _Shown.last = self

    def send(self, frame):
        self.frames.append(np.array(frame))

    def close(self):
        self.closed += 1

    def device(self):
        return "A camera"

    def native_fourcc(self):
        return None


def _frame(width, height, luma, *, full=False):
    frame = av.VideoFrame(width, height, "yuv420p")
    for index, value in enumerate((luma, 128, 128)):
        view(frame, index)[...] = value
    frame.pts, frame.time_base = 7, films.BASE
    frame.color_range, frame.colorspace = 2 if full else 1, 1
    return frame


@absltest.skipUnless(optional.installed("pyvirtualcam"), "needs pyvirtualcam")
class ThroughPyvirtualcamTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        # As on Windows and macOS; there, too, cameras are registered by a name.
        self.enterContext(mock.patch.object(cameras, "uses_device", lambda: False))
        self.enterContext(
            mock.patch.dict(of_pyvirtualcam.BACKENDS, {"test": _Shown}, clear=True)
        )

    def test_frames_of_a_film_are_shown(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        source = films.write(folder / "in.mp4", Picture(), films.sound(0.5))
        report = streaming.restore(
            str(source), "virtual", RestoreOptions(strength=0), Encoding()
        )
        camera = _Shown.last
        self.assertEqual((camera.size, camera.rate), ((WIDTH, HEIGHT), 25))
        self.assertEqual(camera.closed, 1)
        self.assertNotEmpty(camera.frames)
        self.assertEqual(report.frames, len(camera.frames))
        # I420 is the planes, one after another.
        whole = [
            np.concatenate([view(frame, plane).ravel() for plane in range(3)])
            for frame in films.read(source)
        ]
        places = [
            next(n for n, frame in enumerate(whole) if np.array_equal(frame, shown))
            for shown in camera.frames
        ]
        self.assertEqual(places, sorted(set(places)))

    def test_full_range_becomes_what_cameras_have(self):
        writer = cameras.CameraWriter(_frame(16, 16, 255, full=True), 30)
        self.assertEqual(writer.frame(_frame(16, 16, 255, full=True)), [7])
        self.assertEqual(writer.frame(_frame(16, 16, 235)), [7])
        for shown in _Shown.last.frames:
            np.testing.assert_array_equal(shown[:256], 235)
        self.assertEqual(
            _Shown.last.fourcc,
            of_pyvirtualcam.encode_fourcc(pyvirtualcam.PixelFormat.I420.value),
        )

    def test_odd_sizes_are_shown_as_colours(self):
        writer = cameras.CameraWriter(_frame(15, 16, 235), 30)
        writer.frame(_frame(15, 16, 235))
        (shown,) = _Shown.last.frames
        self.assertEqual(shown.size, 15 * 16 * 3)
        np.testing.assert_allclose(shown, 255, atol=1)

    def test_a_camera_that_is_gone_is_a_sentence(self):
        writer = cameras.CameraWriter(_frame(16, 16, 16), 30)
        with (
            mock.patch.object(_Shown, "send", side_effect=RuntimeError("it is gone")),
            self.assertRaisesRegex(UserError, "A camera takes no frames: it is gone"),
        ):
            writer.frame(_frame(16, 16, 16))

    def test_who_has_no_camera_is_told_what_to_install(self):
        with (
            mock.patch.dict(of_pyvirtualcam.BACKENDS, {"obs": _Missing}, clear=True),
            self.assertRaisesRegex(
                UserError,
                "no virtual camera starts: 'obs' backend: .*; install OBS Studio, and",
            ),
        ):
            cameras.CameraWriter(_frame(16, 16, 16), 30)

    def test_without_the_package_the_extra_is_named(self):
        with (
            mock.patch.object(optional, "installed", lambda *names: False),
            self.assertRaisesRegex(UserError, r"pip install 'kdsharp\[camera\]'"),
        ):
            outputs.find("virtual")


class _Missing:
    def __init__(self, **_):
        raise RuntimeError("virtual camera output could not be started")


class OnLinuxTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.devices = pathlib.Path(folder.name)
        for patch in (
            mock.patch.object(cameras, "uses_device", lambda: True),
            mock.patch.object(cameras, "_DEVICES", self.devices),
        ):
            self.enterContext(patch)

    def test_the_first_loopback_device_is_taken(self):
        for name in ("video10", "video2"):
            (self.devices / name).mkdir()
        found = outputs.find("virtual")
        self.assertEqual((found.url, found.kind), ("/dev/video2", "device"))
        self.assertEqual(outputs.encoding(found, Encoding()).codec, "rawvideo")

    def test_who_has_none_is_told_what_to_install(self):
        status, _, complaint = run("live", "camera", "virtual")
        self.assertEqual(status, 2)
        self.assertRegex(complaint, "^kdsharp: no virtual camera here: .*modprobe v4l2")
        self.assertEqual(complaint.count("\n"), 1)


@absltest.skipUnless(optional.installed("pyvirtualcam"), "needs pyvirtualcam")
@absltest.skipIf(list(pathlib.Path("/dev").glob("video*")), "there are devices")
class OwnErrorTest(absltest.TestCase):
    def test_the_library_s_own_camera_says_what_it_lacks(self):
        with self.assertRaisesRegex(
            UserError, "no virtual camera starts: '.*; install"
        ):
            cameras.CameraWriter(_frame(16, 16, 16), 30)


if __name__ == "__main__":
    absltest.main()
