"""Webcam, recording and calls in a browser with a fake camera."""

import pathlib
import tempfile
import time
from collections.abc import Callable

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from kdsharp.export import network as networks
from kdsharp.runtime import planes
from tests import waiting
from tests.web import browser, cameras, sites

pytestmark = pytest.mark.slow


_WIDTH, _HEIGHT = 322, 182

# Plays still frames of known pixels into `sharpen` and returns one that comes out.
_THROUGH = """async ([bytes, width, height, fullRange, options]) => {
  const { open } = await import("./sharpen.js");
  const generator = new MediaStreamTrackGenerator({ kind: "video" });
  const writer = generator.writable.getWriter();
  const data = new Uint8Array(bytes);
  let timestamp = 0;
  // One at a time: no page drowns in frames that it is too busy for.
  let busy = false;
  const timer = setInterval(async () => {
    if (busy) return;
    busy = true;
    await writer.write(new VideoFrame(data, {
      format: "I420", codedWidth: width, codedHeight: height,
      timestamp: timestamp += 33333,
      colorSpace: { primaries: "bt709", transfer: "bt709", matrix: "bt709", fullRange },
    }));
    busy = false;
  }, 33);
  const failed = new Promise((_, reject) => (options.failed = reject));
  const live = await open(generator, options);
  const processor = new MediaStreamTrackProcessor({ track: live.track });
  const reader = processor.readable.getReader();
  const { value: frame } = await Promise.race([reader.read(), failed]);
  const out = new Uint8Array(frame.allocationSize());
  const layout = await frame.copyTo(out);
  const { format, codedWidth, codedHeight, colorSpace } = frame;
  const told = [format, codedWidth, codedHeight, colorSpace.fullRange];
  clearInterval(timer);
  frame.close();
  live.close();
  const planes = layout.map(({ offset, stride }, n) => {
    const [w, h] = n ? [width / 2, height / 2] : [width, height];
    return Array.from({ length: h }, (_, y) =>
      [...out.subarray(offset + y * stride, offset + y * stride + w)]);
  });
  return [told, planes];
}"""

# Opens a network with two helper threads; returns how many were ready then.
_OPENING = """async (name) => {
  const { ways } = await import("./camera/planes.js");
  const { find, read } = await import("./site.js");
  const network = find(await read(), name);
  const Unwatched = Worker;
  let ready = 0;
  window.Worker = class extends Unwatched {
    constructor(...options) {
      super(...options);
      this.addEventListener("message", () => ready++);
    }
  };
  const plane = await ways.kernel(network, 64, 64, { threads: 3 });
  window.Worker = Unwatched;
  plane.close();
  return ready;
}"""

# Opens a network whose helper threads fail; returns how it says that it computes.
_FAILING = """async (name) => {
  const { ways } = await import("./camera/planes.js");
  const { find, read } = await import("./site.js");
  const network = find(await read(), name);
  const Working = Worker;
  window.Worker = class extends Working {
    constructor(_, options) {
      super("./missing.js", options);
    }
  };
  const plane = await ways.kernel(network, 64, 64, { threads: 3 });
  window.Worker = Working;
  plane.run({ black: 16, span: 219, strength: 1 });
  plane.close();
  return plane.by;
}"""

# Restores frames in order, and returns their luma.
_FILM = """async ([name, film, width, height]) => {
  const { Frames } = await import("./camera/frames.js");
  const { find, read } = await import("./site.js");
  const frames = new Frames(find(await read(), name), { by: "wasm", threads: 1 });
  const found = [];
  for (const [n, bytes] of film.entries()) {
    const data = new Uint8Array(bytes);
    const wish = { format: "I420", codedWidth: width, codedHeight: height };
    const frame = await frames.restore(new VideoFrame(data, { ...wish, timestamp: n }));
    const out = new Uint8Array(frame.allocationSize());
    const [{ offset, stride }] = await frame.copyTo(out);
    frame.close();
    found.push(Array.from({ length: height }, (_, y) =>
      [...out.subarray(offset + y * stride, offset + y * stride + width)]));
  }
  frames.close();
  return found;
}"""


def _frame() -> tuple[np.ndarray, np.ndarray]:
    """A luma plane, and a frame with it and random chroma."""
    luma = cameras.plane(_WIDTH, _HEIGHT)
    random = np.random.default_rng(0)
    colour = random.integers(16, 240, _WIDTH * _HEIGHT // 2, np.uint8)
    return luma, np.concatenate([luma.ravel(), colour])


class TrackTest(browser.PageTest):
    """The module `sharpen.js` for other pages."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        site, cls.files = sites.of_kernels(cls.folder)
        address, _ = cls.enterClassContext(browser.host(site))
        cls.page = cls.open_for_all(address)

    def _through(self, frame: np.ndarray, full: bool, options: dict):
        page = self.page
        arguments = [frame.tolist(), _WIDTH, _HEIGHT, full, options]
        told, found = page.evaluate(_THROUGH, arguments)
        self.assertEqual(told, ["I420", _WIDTH, _HEIGHT, full])
        return [np.array(plane) for plane in found]

    @parameterized.parameters(
        (sites.STUDENT, 1, False, 1.0),
        (sites.STUDENT, 2, True, 0.6),
        ("deep", 3, False, 1.5),
        ("plain", 2, False, 1.0),
    )
    def test_luma_is_restored_and_chroma_unchanged(self, name, threads, full, strength):
        luma, frame = _frame()
        capabilities = {"by": "wasm", "threads": threads}
        options = {"network": name, "strength": strength, "capabilities": capabilities}
        sharp, *colour = self._through(frame, full, options)
        restore = planes.create(
            networks.of_weights(self.files[name]),
            _WIDTH,
            _HEIGHT,
            range="full" if full else "studio",
            strength=strength,
        )
        wanted = restore(luma).astype(int)
        change = np.abs(luma - wanted)
        # What a network of random numbers changes is much more than one that learned.
        self.assertLessEqual(np.abs(sharp - wanted).max(), max(1, change.max() // 25))
        self.assertLess(np.abs(sharp - wanted).mean(), 0.02 * change.mean())
        self.assertGreater(change.mean(), 0.5)
        half = np.concatenate([plane.ravel() for plane in colour])
        np.testing.assert_array_equal(half, frame[luma.size :])

    def test_helper_threads_are_ready_for_the_first_frame(self):
        self.assertEqual(self.page.evaluate(_OPENING, sites.STUDENT), 2)

    def test_helper_threads_that_fail_are_not_waited_for(self):
        by = self.page.evaluate(_FAILING, sites.STUDENT)
        self.assertEqual(by, "WebAssembly, 16 bits")

    def test_a_network_with_memory_remembers_the_frame_before(self):
        luma, frame = _frame()
        noise = np.random.default_rng(0)
        film = [np.uint8(luma + noise.integers(0, 6, luma.shape)) for _ in range(4)]
        given = [
            [*shown.ravel().tolist(), *frame[luma.size :].tolist()] for shown in film
        ]
        found = np.array(self.page.evaluate(_FILM, ["memory", given, _WIDTH, _HEIGHT]))
        sites.check_memory(self, self.files["memory"], film, found)

    def test_split_view_shows_the_original_on_the_left(self):
        luma, frame = _frame()
        sharp, *_ = self._through(frame, False, {"split": 0.5})
        seam = _WIDTH // 2
        np.testing.assert_array_equal(sharp[:, :seam], luma[:, :seam])
        np.testing.assert_array_equal(sharp[:, seam : seam + 2], 235)
        self.assertGreater(np.abs(sharp - luma)[:, seam + 2 :].mean(), 0.3)

    @parameterized.parameters(
        (
            "video",
            {"network": "nobody"},
            f"Unknown network nobody; choose one of: {sites.STUDENT}",
        ),
        ("audio", {}, "Only video tracks can be sharpened"),
    )
    def test_user_errors_are_reported(self, kind, options, words):
        told = self.page.evaluate(
            """async ([kind, options]) => {
              const { sharpen } = await import("./sharpen.js");
              const track = new MediaStreamTrackGenerator({ kind });
              try { await sharpen(track, options); }
              catch (error) { return error.message; }
            }""",
            [kind, options],
        )
        self.assertIn(words, told)


class CameraTest(browser.PageTest):
    @classmethod
    def setUpClass(cls):
        with tempfile.NamedTemporaryFile(suffix=".y4m", delete=False) as file:
            film = pathlib.Path(file.name)
        cls.addClassCleanup(film.unlink)
        cameras.write(film, 1280, 720, count=12)
        cls.ARGUMENTS = (
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={film}",
        )
        super().setUpClass()
        cls.address, _ = cls.enterClassContext(browser.host(sites.built()))

    def _start(self, size: str = "360p"):
        page = self.open(self.address, permissions=["camera"])
        page.click("#tab-camera")
        page.select_option("#size", size)
        page.click("#start")
        self.wait(page, "#fps", r"\d")
        return page

    def test_shows_the_restored_camera_and_its_speed(self):
        page = self._start()
        self.assertEqual(page.inner_text("#frame-size"), "640x360")
        self.assertIn("16 bits", page.inner_text("#means"))
        self.assertGreater(float(page.inner_text("#fps")), 1)
        self.assertGreater(float(page.inner_text("#milliseconds")), 1)
        page.fill("#camera-divider", "100")
        as_it_was = self._detail(page)
        page.fill("#camera-divider", "0")
        sharper = self._detail(page)
        self.assertGreater(sharper, 1.2 * as_it_was)
        page.select_option("#size", "720p")
        self.wait(page, "#frame-size", "1280x720")
        page.click("#stop")
        self.wait(page, "#camera-status", "Stopped")
        self.assertTrue(page.is_disabled("#record"))
        for url in page.asked:
            self.assertRegex(url, f"^(blob:)?{self.address}")
        self.assertEmpty(page.complaints)

    def _detail(self, page) -> float:
        """The mean difference of neighbouring pixels over some frames of the camera."""
        found = []
        for _ in range(3):
            # What is in work still shows what was asked for before.
            self._wait_for_frames(page, 8)
            shown = page.evaluate(
                """() => {
                  const video = document.querySelector("#live");
                  const { videoWidth, videoHeight } = video;
                  const canvas = new OffscreenCanvas(videoWidth, videoHeight);
                  const context = canvas.getContext("2d");
                  context.drawImage(video, 0, 0);
                  const { data } = context.getImageData(200, 100, 240, 160);
                  return [...data].filter((_, n) => n % 4 === 1);
                }"""
            )
            pixels = np.reshape(shown, (160, 240))
            found.append(np.abs(np.diff(pixels, 2, axis=1)).mean())
        return float(np.mean(found))

    def _wait_for_frames(self, page, count: int) -> None:
        """Waits until the page has shown that many more frames of the camera."""
        shown = """() => {
          const video = document.querySelector("#live");
          return video.getVideoPlaybackQuality().totalVideoFrames;
        }"""
        goal = page.evaluate(shown) + count
        end = time.monotonic() + waiting.PATIENCE
        while page.evaluate(shown) < goal:
            self.assertLess(time.monotonic(), end, "the camera's picture stands still")
            page.wait_for_timeout(20)

    def _record(self, page, press: Callable[[], None]) -> None:
        """Records until there is a file: a busy encoder's first frames take time."""
        for frames in (40, 160, 640):
            press()
            self.wait(page, "#record", "Stop recording")
            self._wait_for_frames(page, frames)
            press()
            self.wait(page, "#record", "^Record$")
            # What comes of it is told once the recorder has ended.
            for _ in range(600):
                if page.is_visible("#recording"):
                    return
                if "too short" in page.inner_text("#camera-status"):
                    break
                page.wait_for_timeout(50)
        self.fail("nothing was recorded")

    def test_records_a_file_that_plays(self):
        import av

        page = self._start()
        link = page.locator("#recording")
        self._record(page, lambda: page.click("#record"))
        with page.expect_download() as download:
            link.click()
        self.assertEqual(download.value.suggested_filename, "kdsharp.webm")
        with av.open(download.value.path()) as film:
            frames = [frame.to_ndarray(format="gray") for frame in film.decode(video=0)]
        self.assertGreater(len(frames), 3)
        self.assertEqual(frames[0].shape, (360, 640))
        self.assertGreater(np.abs(frames[0].astype(int) - frames[-1]).mean(), 0.3)

    def test_empty_recordings_are_reported(self):
        page = self._start()
        page.evaluate("""() => {
          MediaRecorder.prototype.start = () => {};
          MediaRecorder.prototype.stop = function () { this.onstop(); };
          const state = { value: "recording" };
          Object.defineProperty(MediaRecorder.prototype, "state", state);
        }""")
        page.click("#record")
        page.click("#record")
        self.wait(
            page, "#camera-status", "Nothing was recorded: the recording was too short."
        )
        self.assertFalse(page.is_visible("#recording"))

    def test_works_in_a_call(self):
        page = self._start()
        page.click("#call")
        told = self.wait(page, "#call-status", r"Received ([5-9]|\d\d+) frames")
        self.assertRegex(told, r"now \d+x\d+ at \d+ fps")
        shown = page.evaluate("document.querySelector('#far').videoWidth")
        self.assertGreater(shown, 0)
        page.click("#call")
        self.assertFalse(page.is_visible("#far"))

    def test_browsers_without_streams_of_frames_go_through_canvases(self):
        page = self.open(self.address, permissions=["camera"])
        page.evaluate("delete self.MediaStreamTrackProcessor")
        page.click("#tab-camera")
        page.select_option("#size", "360p")
        page.click("#start")
        self.wait(page, "#fps", r"\d")
        page.fill("#camera-divider", "100")
        as_it_was = self._detail(page)
        page.fill("#camera-divider", "0")
        self.assertGreater(self._detail(page), 1.2 * as_it_was)
        page.click("#stop")

    def test_by_keyboard_alone(self):
        page = self.open(self.address, permissions=["camera"])
        self.tab_to(page, "#tab-pictures")
        page.keyboard.press("ArrowRight")
        self.tab_to(page, "#start")
        page.keyboard.press("Enter")
        self.wait(page, "#fps", r"\d")
        self.tab_to(page, "#split")
        page.keyboard.press("Space")
        self.assertTrue(page.is_disabled("#camera-divider"))
        self.tab_to(page, "#record")
        self._record(page, lambda: page.keyboard.press("Enter"))
        self.wait(page, "#recording", "Save the recording")
        self.tab_to(page, "#stop", "Shift+Tab")
        page.keyboard.press("Enter")
        self.wait(page, "#camera-status", "Stopped")

    def test_denied_camera_is_reported(self):
        page = self.open(self.address)
        page.click("#tab-camera")
        page.click("#start")
        self.wait(page, "#problem", "Access to the camera was denied: allow it")
        self.assertTrue(page.is_enabled("#start"))

    def test_one_thread_without_isolation(self):
        page = self.open(self.address, permissions=["camera"], service_workers="block")
        self.assertFalse(page.evaluate("crossOriginIsolated"))
        self.assertEqual(page.inner_text("#engine-told"), "WebAssembly, 1 thread")
        page.click("#tab-camera")
        page.select_option("#size", "360p")
        page.click("#start")
        self.wait(page, "#fps", r"\d")


class NoCameraTest(browser.PageTest):
    def test_missing_camera_is_reported(self):
        with browser.host(sites.built()) as (address, _):
            page = self.open(address, permissions=["camera"])
            page.click("#tab-camera")
            page.click("#start")
            self.wait(page, "#problem", "No camera was found")


if __name__ == "__main__":
    absltest.main()
