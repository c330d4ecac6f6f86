"""The extension in a real browser, on pages of other sites."""

import json
import os
import pathlib
import shutil
import tempfile

import av
import numpy as np
import pytest
from absl.testing import absltest
from PIL import Image, ImageFilter
from skimage import data

from kdsharp.runtime import planes
from tests.cli.running import run
from tests.web import browser, firefox

_MODEL = "rt-s-codec"
_WIDTH, _HEIGHT = 322, 182
# Nothing may run, and nothing be styled, but what the page brings.
_POLICY = "default-src 'self'; script-src 'self'; style-src 'self'; frame-src 'none'"
_PAGE = """<!doctype html><meta http-equiv="Content-Security-Policy" content="{policy}">
<p>Somebody's page</p><div><video src="film.webm" muted loop></video></div>
<script src="page.js"></script>"""
_CALL = """
addEventListener("load", async () => {
  const film = document.querySelector("video");
  await film.play();
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: 320, height: 180 });
  const draw = () => {
    canvas.getContext("2d").drawImage(film, 0, 0, 320, 180);
    requestAnimationFrame(draw);
  };
  draw();
  const [near, far] = [new RTCPeerConnection(), new RTCPeerConnection()];
  near.onicecandidate = ({ candidate }) => candidate && far.addIceCandidate(candidate);
  far.onicecandidate = ({ candidate }) => candidate && near.addIceCandidate(candidate);
  far.ontrack = async ({ track }) => {
    const video = document.createElement("video");
    video.id = "far";
    video.muted = true;
    video.srcObject = new MediaStream([track]);
    document.body.append(video);
    await video.play();
    document.body.dataset.ready = "";
  };
  for (const track of canvas.captureStream(30).getTracks()) near.addTrack(track);
  await near.setLocalDescription();
  await far.setRemoteDescription(near.localDescription);
  await far.setLocalDescription();
  await near.setRemoteDescription(far.localDescription);
});
"""
_STOP = """
  const film = document.querySelector("video");
  film.pause();
  film.currentTime = 1;
  await new Promise((done) => film.addEventListener("seeked", done));
"""
_PIXELS = """source => {
  const from = document.querySelector(source);
  const canvas = document.createElement("canvas");
  const width = from.videoWidth ?? from.width;
  const height = from.videoHeight ?? from.height;
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.drawImage(from, 0, 0);
  return [width, height, [...context.getImageData(0, 0, width, height).data]];
}"""


def _film(path: pathlib.Path) -> None:
    """A blurred photograph that moves, as a browser plays it."""
    wide = Image.fromarray(data.astronaut()).resize((_WIDTH + 60, _HEIGHT))
    wide = wide.filter(ImageFilter.GaussianBlur(1.2))
    with av.open(path, "w") as container:
        stream = container.add_stream("libvpx", rate=30, options={"b": "2M"})
        stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        for left in range(60):
            shown = wide.crop((left, 0, left + _WIDTH, _HEIGHT))
            container.mux(stream.encode(av.VideoFrame.from_image(shown)))
        container.mux(stream.encode(None))


def _site(folder: pathlib.Path) -> pathlib.Path:
    """A page of somebody else: a film, and a call."""
    site = folder / "site"
    site.mkdir()
    _film(site / "film.webm")
    (site / "page.js").write_text(_CALL)
    (site / "index.html").write_text(_PAGE.format(policy=_POLICY))
    return site


def _change(frame: np.ndarray) -> np.ndarray:
    """What the network adds to the luma of a frame, in levels."""
    luma = np.round(frame @ [0.299, 0.587, 0.114]).astype(np.uint8)
    restorer = planes.create(_MODEL, *luma.shape[::-1], range="full")
    return restorer(luma).astype(int) - luma


@absltest.skipIf(not browser.CAN, browser.WHY_NOT)
class ExtensionTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        from playwright.sync_api import sync_playwright

        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.extension = cls.folder / "extension"
        status, cls.told, complaints = run(
            "web", "extension", cls.extension, "--model", _MODEL
        )
        assert status == 0, complaints
        # A click on the browser's own button lets it into a page. No program can click
        # there, so that here it is let into all pages from the first.
        loaded = cls.folder / "loaded"
        shutil.copytree(cls.extension, loaded)
        manifest = json.loads((loaded / "manifest.json").read_text())
        manifest["host_permissions"] = ["<all_urls>"]
        (loaded / "manifest.json").write_text(json.dumps(manifest))
        cls.address, _ = cls.enterClassContext(browser.host(_site(cls.folder)))
        playwright = cls.enterClassContext(sync_playwright())
        cls.browser = playwright.chromium.launch_persistent_context(
            str(cls.folder / "profile"),
            executable_path=browser.PROGRAM,
            headless=False,
            args=[
                "--headless=new",
                "--no-sandbox",
                f"--disable-extensions-except={loaded}",
                f"--load-extension={loaded}",
            ],
            env={**os.environ, "HOME": str(cls.folder)},
        )
        cls.addClassCleanup(cls.browser.close)
        cls.browser.set_default_timeout(60_000)
        workers = cls.browser.service_workers
        cls.background = (
            workers[0] if workers else cls.browser.wait_for_event("serviceworker")
        )

    def setUp(self):
        super().setUp()
        self.page = self.browser.new_page()
        self.addCleanup(self.page.close)
        self.page.goto(self.address)
        self.page.wait_for_selector("body[data-ready]")
        self.page.bring_to_front()

    def _click(self) -> None:
        """What the button does."""
        self.background.evaluate(
            "async () => toggle((await chrome.tabs.query({ active: true }))[0])"
        )

    def _pixels(self, selector: str) -> np.ndarray:
        width, height, pixels = self.page.evaluate(_PIXELS, selector)
        return np.array(pixels, np.uint8).reshape(height, width, 4)[..., :3]

    def _settled(self) -> np.ndarray:
        """The sharpened frame of the film, once it stands still."""
        self.page.evaluate(f"async () => {{ {_STOP} }}")
        last = self._pixels("video + canvas")
        while True:
            self.page.wait_for_timeout(1000)
            now = self._pixels("video + canvas")
            if np.array_equal(now, last):
                return now
            last = now

    @pytest.mark.slow
    def test_shows_the_restored_frame(self):
        self._click()
        self.page.wait_for_selector("canvas[data-frames]")
        shown = self._settled()
        # Even sides alone are restored.
        frame = self._pixels("video")[: shown.shape[0], : shown.shape[1]]
        change = _change(frame)
        wanted = np.clip(frame + change[..., None], 0, 255)
        self.assertGreater(np.abs(change).mean(), 0.5)
        self.assertLessEqual(np.abs(shown - wanted).max(), 3)

    @pytest.mark.slow
    def test_a_call_is_sharpened_on_the_receivers_side(self):
        self._click()
        shown = "document.querySelector('#far + canvas')?.dataset.frames ?? 0"
        while int(self.page.evaluate(shown)) < 10:
            self.page.wait_for_timeout(100)
        far = self.page.evaluate(
            "document.querySelector('#far').getBoundingClientRect()"
        )
        over = self.page.evaluate(
            "document.querySelector('#far + canvas').getBoundingClientRect()"
        )
        self.assertEqual(over, far)

    def test_a_second_click_removes_everything(self):
        before = self.page.content()
        self._click()
        self.page.wait_for_selector("canvas[data-frames]")
        self._click()
        self.page.wait_for_selector("canvas", state="detached")
        self.assertEqual(self.page.content(), before)

    @pytest.mark.slow
    def test_its_buttons_compare_and_turn_off(self):
        self._click()
        self.page.wait_for_selector("canvas[data-frames]")
        self.page.click("video:first-of-type + canvas + div >> text=Compare")
        shown = self._settled()
        seam = round(shown.shape[1] * 0.5)
        frame = self._pixels("video")[: shown.shape[0], : shown.shape[1]]
        np.testing.assert_array_equal(shown[:, :seam], frame[:, :seam])
        self.page.click("video:first-of-type + canvas + div >> text=Off")
        self.page.wait_for_selector("div > canvas", state="detached")

    def test_picture_in_picture(self):
        self._click()
        self.page.wait_for_selector("canvas[data-frames]")
        bar = "video:first-of-type + canvas + div"
        self.page.click(f"{bar} >> text=Picture in picture")
        while not (
            self.page.evaluate("!!document.pictureInPictureElement")
            or "No picture" in self.page.inner_text(f"{bar} >> span")
        ):
            self.page.wait_for_timeout(100)
        self.assertTrue(self.page.evaluate("!!document.pictureInPictureElement"))

    def test_requests_no_site_permissions_and_is_zipped(self):
        manifest = json.loads((self.extension / "manifest.json").read_text())
        self.assertEqual(manifest["permissions"], ["activeTab", "scripting"])
        self.assertNotIn("host_permissions", manifest)
        unpacked = self.folder / "unpacked"
        shutil.unpack_archive(self.extension.with_name("extension.zip"), unpacked)
        files = {p.relative_to(unpacked) for p in unpacked.rglob("*") if p.is_file()}
        wanted = self.extension.rglob("*")
        self.assertEqual(
            files, {p.relative_to(self.extension) for p in wanted if p.is_file()}
        )


@absltest.skipIf(not firefox.PROGRAM, firefox.WHY_NOT)
class FirefoxTest(firefox.FirefoxTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        out = cls.folder / "extension"
        status, _, complaints = run("web", "extension", out, "--model", _MODEL)
        assert status == 0, complaints
        cls.extension = cls.firefox.install(out.with_name("extension.zip"))
        cls.address, _ = cls.enterClassContext(browser.host(_site(cls.folder)))

    def setUp(self):
        super().setUp()
        self.firefox.open(self.address)
        self.wait("return document.body.dataset.ready !== undefined")

    def _pixels(self, selector: str) -> np.ndarray:
        script = f"return ({_PIXELS})(arguments[0])"
        width, height, pixels = self.firefox.evaluate(script, selector)
        return np.array(pixels, np.uint8).reshape(height, width, 4)[..., :3]

    @pytest.mark.slow
    def test_shows_the_restored_frame(self):
        self.firefox.click(self.extension)
        self.wait("return document.querySelector('canvas[data-frames]') !== null")
        self.firefox.evaluate(_STOP)
        frames = "return document.querySelector('video + canvas').dataset.frames"
        seen = self.firefox.evaluate(frames)
        self.firefox.evaluate(
            "document.querySelector('video').dispatchEvent(new Event('seeked'))"
        )
        self.wait(f"{frames} !== '{seen}'")
        shown = self._pixels("video + canvas")
        frame = self._pixels("video")[: shown.shape[0], : shown.shape[1]]
        change = _change(frame)
        wanted = np.clip(frame + change[..., None], 0, 255)
        self.assertGreater(np.abs(change).mean(), 0.5)
        self.assertLessEqual(np.abs(shown - wanted).max(), 3)

    def test_a_call_is_sharpened_and_released(self):
        before = self.firefox.evaluate("return document.body.innerHTML")
        self.firefox.click(self.extension)
        self.wait("return document.querySelector('#far + canvas')?.dataset.frames > 10")
        self.firefox.click(self.extension)
        self.wait("return document.querySelector('canvas') === null")
        self.assertEqual(
            self.firefox.evaluate("return document.body.innerHTML"), before
        )


@absltest.skipIf(not browser.CAN, browser.WHY_NOT)
class RefusalTest(absltest.TestCase):
    def test_foreign_folders_and_unsupported_networks_are_refused(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        (folder / "letter.txt").write_text("mine")
        status, _, complaints = run("web", "extension", folder)
        self.assertEqual(status, 2)
        self.assertIn("holds something other than this extension", complaints)
        self.assertEqual(os.listdir(folder), ["letter.txt"])
        out = folder / "new"
        status, _, complaints = run("web", "extension", out, "--model", "rt-l-photo")
        self.assertEqual(status, 2)
        self.assertIn("rt-l-photo cannot be compiled to WebAssembly", complaints)
        self.assertFalse(out.exists())


if __name__ == "__main__":
    absltest.main()
