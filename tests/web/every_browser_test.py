"""`sharpen(track)` in every browser at hand, by the way that each has."""

import pathlib
import tempfile

import numpy as np
import pytest
from absl.testing import absltest
from PIL import Image, ImageFilter
from skimage import data

from kdsharp.base import optional
from kdsharp.runtime import planes
from kdsharp.web import build
from tests.web import browser, cameras, firefox, sites, webkit

pytestmark = pytest.mark.slow

_WIDTH, _HEIGHT = 322, 182
_PAGE = "<!doctype html><title>Somebody's page</title><p>Nothing yet</p>"

# A track of still pictures, which a worker draws so that pages that are not shown play
# on; it is sharpened, and a picture of what comes out returned. Counted is what would
# hold up the page: reading and writing pixels there.
_SHARPEN = """
  const [bytes, width, height, options] = arguments;
  if (options.without) self[options.without] = undefined;
  const { open } = await import(new URL("sharpen.js", location).href);
  const counted = { read: 0, written: 0 };
  const prototype = CanvasRenderingContext2D.prototype;
  const { getImageData, putImageData } = prototype;
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  document.body.append(canvas);
  const context = canvas.getContext("2d");
  const picture = new ImageData(new Uint8ClampedArray(bytes), width, height);
  const draw = () => putImageData.call(context, picture, 0, 0);
  draw();
  const timer = setInterval(draw, 30);
  const [source] = canvas.captureStream(30).getVideoTracks();
  prototype.getImageData = function (...given) {
    counted.read += 1;
    return getImageData.apply(this, given);
  };
  prototype.putImageData = function (...given) {
    counted.written += 1;
    return putImageData.apply(this, given);
  };
  let live;
  const failed = new Promise((_, reject) => (options.failed = reject));
  const told = new Promise((resolve) => (options.tell = (stats) =>
    stats.frames > 5 && resolve(stats)));
  try {
    live = await Promise.race([open(source, options), failed]);
    const video = document.createElement("video");
    Object.assign(video, { muted: true, playsInline: true });
    document.body.append(video);
    video.srcObject = new MediaStream([live.track]);
    await Promise.race([video.play(), failed]);
    const stats = await Promise.race([told, failed]);
    const seen = new OffscreenCanvas(video.videoWidth, video.videoHeight);
    const on = seen.getContext("2d");
    on.drawImage(video, 0, 0);
    const { data } = on.getImageData(0, 0, seen.width, seen.height);
    const size = [seen.width, seen.height];
    const ended = new Promise((resolve) => (options.ended = resolve));
    (options.stop === "source" ? source : live.track).stop();
    await ended;
    return { size, pixels: [...data], stats, counted, way: live.way };
  } finally {
    Object.assign(prototype, { getImageData, putImageData });
    clearInterval(timer);
    live?.close();
    source.stop();
    document.body.replaceChildren();
  }
"""

# A frame as cameras give it, restored by what the worker restores frames with.
_PLANES = """
  const [bytes, width, height] = arguments;
  const load = (file) => import(new URL(file, location).href);
  const { Frames } = await load("camera/frames.js");
  const { read } = await load("site.js");
  const [network] = (await read()).networks;
  const frames = new Frames(network, { by: "wasm", threads: 1 });
  const frame = await frames.restore(new VideoFrame(new Uint8Array(bytes), {
    format: "I420", codedWidth: width, codedHeight: height, timestamp: 5,
    colorSpace: { primaries: "bt709", transfer: "bt709", matrix: "bt709",
      fullRange: false },
  }));
  const told = [frame.format, frame.codedWidth, frame.codedHeight, frame.timestamp];
  const out = new Uint8Array(frame.allocationSize());
  const layout = await frame.copyTo(out);
  frame.close();
  const planes = layout.map(({ offset, stride }, n) => {
    const [w, h] = n ? [width / 2, height / 2] : [width, height];
    return Array.from({ length: h }, (_, y) =>
      [...out.subarray(offset + y * stride, offset + y * stride + w)]);
  });
  return [told, planes];
"""


def _picture() -> np.ndarray:
    """A blurred photograph, RGBA."""
    image = Image.fromarray(data.astronaut()).resize((_WIDTH, _HEIGHT))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(1.2)).convert("RGBA"))


def _wanted(picture: np.ndarray) -> np.ndarray:
    """The picture, restored."""
    colours = picture[..., :3]
    luma = np.round(colours @ [0.299, 0.587, 0.114]).astype(np.uint8)
    sharp = planes.create(sites.STUDENT, _WIDTH, _HEIGHT, range="full")(luma)
    return np.clip(colours + (sharp.astype(int) - luma)[..., None], 0, 255)


class _Sharpens:
    """What holds in every browser."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        # A network's own WebAssembly needs no runtime beside it.
        build.write(folder, [sites.STUDENT], engine="server")
        (folder / "own.html").write_text(_PAGE)
        address, _ = cls.enterClassContext(browser.host(folder))
        cls.address = f"{address}own.html"

    def _sharpened(self, **options) -> tuple[np.ndarray, dict]:
        self.open()
        pixels = _picture().ravel().tolist()
        found = self.evaluate(_SHARPEN, pixels, _WIDTH, _HEIGHT, options)
        width, height = found["size"]
        shown = np.array(found["pixels"]).reshape(height, width, 4)
        return shown[..., :3], found

    def test_planes_of_a_frame_are_restored(self):
        self.open()
        luma = cameras.plane(_WIDTH, _HEIGHT)
        colour = np.random.default_rng(0).integers(16, 240, luma.size // 2, np.uint8)
        frame = np.concatenate([luma.ravel(), colour])
        told, found = self.evaluate(_PLANES, frame.tolist(), _WIDTH, _HEIGHT)
        self.assertEqual(told, ["I420", _WIDTH, _HEIGHT, 5])
        sharp, *rest = map(np.array, found)
        wanted = planes.create(sites.STUDENT, _WIDTH, _HEIGHT)(luma).astype(int)
        self.assertGreater(np.abs(wanted - luma).mean(), 0.5)
        self.assertLessEqual(np.abs(sharp - wanted).max(), 1)
        kept = np.concatenate([plane.ravel() for plane in rest])
        np.testing.assert_array_equal(kept, colour)

    def _check(self, shown: np.ndarray, worst: int) -> None:
        self.assertEqual(shown.shape, (_HEIGHT, _WIDTH, 3))
        picture = _picture()
        wanted = _wanted(picture)
        apart = np.abs(shown - wanted)
        change = np.abs(picture[..., :3] - wanted)
        self.assertGreater(change.mean(), 0.5)
        self.assertLessEqual(apart.max(), worst)
        self.assertLess(apart.mean(), 0.2 * change.mean())


@absltest.skipIf(not firefox.PROGRAM, firefox.WHY_NOT)
@absltest.skipIf(not optional.installed("onnx"), "onnx is not installed")
class FirefoxTest(_Sharpens, firefox.FirefoxTest):
    def open(self):
        self.firefox.open(self.address)

    def evaluate(self, script, *arguments):
        return self.firefox.evaluate(script, *arguments)

    def test_a_track_is_sharpened_beside_the_page(self):
        shown, found = self._sharpened()
        self._check(shown, 3)
        self.assertEqual(found["way"], "canvas")
        self.assertEqual(found["counted"], {"read": 0, "written": 0})

    def test_so_is_one_of_older_versions_without_frames(self):
        shown, found = self._sharpened(without="VideoFrame", stop="source")
        self._check(shown, 3)
        self.assertEqual(found["counted"], {"read": 0, "written": 0})

    def test_the_page_shows_a_camera_by_threads(self):
        self.firefox.open(self.address.removesuffix("own.html"))
        self.wait("return document.body?.dataset.ready !== undefined")
        self.evaluate("document.querySelector('#tab-camera').click()")
        self.evaluate("document.querySelector('#start').click()")
        self.wait("return /\\d/.test(document.querySelector('#fps').textContent)")
        told = self.evaluate("return document.querySelector('#means').textContent")
        self.assertRegex(told, r"^WebAssembly, 16 bits, \d+ threads$")
        self.assertEqual(
            self.evaluate("return document.querySelector('#problem').textContent"), ""
        )


@absltest.skipIf(not webkit.PROGRAM, webkit.WHY_NOT)
@absltest.skipIf(not optional.installed("onnx"), "onnx is not installed")
class WebKitTest(_Sharpens, absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Safari has it on, WebKitGTK off.
        cls.webkit = cls.enterClassContext(
            webkit.webkit("--features=+MediaStreamTrackProcessing")
        )

    def open(self):
        self.webkit.open(self.address)

    def evaluate(self, script, *arguments):
        return self.webkit.evaluate(script, *arguments)

    def test_a_track_is_sharpened_in_the_worker_that_it_goes_to(self):
        for stop in ("source", "track"):
            shown, found = self._sharpened(stop=stop)
            self._check(shown, 3)
            self.assertEqual(found["way"], "worker")


if __name__ == "__main__":
    absltest.main()
