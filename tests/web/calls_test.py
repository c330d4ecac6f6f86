"""Calls: senders, receivers, and the track processors of LiveKit and Jitsi."""

import base64
import pathlib
import shutil
import tempfile
import time

import numpy as np
import pytest
from absl.testing import absltest

from kdsharp.runtime import planes
from kdsharp.web import build
from tests import waiting
from tests.web import browser, cameras, npm, sites

pytestmark = pytest.mark.slow

_WIDTH, _HEIGHT = 320, 180
# Those of npm that have track processors, and effects: the newest, and the only one.
_LIVEKIT = "livekit-client@2.23.0"
_JITSI = "@lyno/lib-jitsi-meet@2.6726.2"

_PAGE = """<!doctype html><title>Somebody's page</title>
<video id="one" muted autoplay playsinline></video>
<video id="two" muted autoplay playsinline></video>
<script type="module">
  const camera = () => navigator.mediaDevices.getUserMedia({ video: true });
  globalThis.shown = async (id) => {
    const video = document.getElementById(id);
    // What is on its way still shows what was before.
    for (let n = 0; n < 12; n++)
      await new Promise((done) => video.requestVideoFrameCallback(done));
    const [width, height] = [video.videoWidth, video.videoHeight];
    const canvas = new OffscreenCanvas(width, height).getContext("2d");
    canvas.drawImage(video, 0, 0);
    const { data } = canvas.getImageData(0, 0, width, height);
    let text = "";
    for (let n = 0; n < data.length; n += 30000)
      text += String.fromCharCode(...data.subarray(n, n + 30000));
    return [width, height, btoa(text)];
  };
  globalThis.connect = async () => {
    const stream = await camera();
    const [near, far] = [new RTCPeerConnection(), new RTCPeerConnection()];
    for (const [a, b] of [[near, far], [far, near]])
      a.onicecandidate = ({ candidate }) => candidate && b.addIceCandidate(candidate);
    far.ontrack = ({ streams }) => (two.srcObject = streams[0]);
    const sender = near.addTrack(stream.getVideoTracks()[0], stream);
    await near.setLocalDescription();
    await far.setRemoteDescription(near.localDescription);
    await far.setLocalDescription();
    await near.setRemoteDescription(far.localDescription);
    Object.assign(globalThis, { near, far, sender, stream });
    one.srcObject = stream;
  };
  document.body.dataset.ready = "";
</script>"""


class CallsTest(browser.PageTest):
    """Each compares what is shown with what was shown before, restored natively."""

    ARGUMENTS = (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        "--autoplay-policy=no-user-gesture-required",
    )

    @classmethod
    def setUpClass(cls):
        # One frame: what is shown before and after is the same.
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        film = pathlib.Path(folder, "film.y4m")
        cameras.write(film, _WIDTH, _HEIGHT, count=1)
        cls.ARGUMENTS = (*cls.ARGUMENTS, f"--use-file-for-fake-video-capture={film}")
        super().setUpClass()
        cls.site = cls.folder / "site"
        # As people copy it: a folder of their own site.
        build.write(cls.site / "kdsharp", [sites.STUDENT], engine="server")
        (cls.site / "own.html").write_text(_PAGE)
        cls.address, _ = cls.enterClassContext(browser.host(cls.site))

    def setUp(self):
        super().setUp()
        self.page = self.open(f"{self.address}own.html", permissions=["camera"])

    def _luma(self, element: str) -> np.ndarray:
        """What an element shows, once it stands still."""
        before, deadline = np.zeros((0, 0)), time.monotonic() + waiting.PATIENCE
        while time.monotonic() < deadline:
            width, height, pixels = self.page.evaluate("id => shown(id)", element)
            decoded = np.frombuffer(base64.b64decode(pixels), np.uint8)
            colours = decoded.reshape(height, width, 4)[..., :3]
            luma = np.round(colours @ [0.299, 0.587, 0.114])
            # Calls begin small, and take their time to become as sharp as they can.
            stands = luma.shape == before.shape == (_HEIGHT, _WIDTH)
            if stands and np.abs(luma - before).mean() < 0.1:
                return luma.astype(np.uint8)
            before = luma
        self.fail(f"{element} does not come to a rest")

    def _check_restored(self, before: np.ndarray, after: np.ndarray) -> None:
        """Whether one picture is the other, restored."""
        change, apart = _compared(before, after)
        self.assertGreater(np.abs(change).mean(), 0.5)
        self.assertLess(np.abs(apart).mean(), 0.25 * np.abs(change).mean())

    def _check_same(self, before: np.ndarray, after: np.ndarray) -> None:
        change, _ = _compared(before, after)
        apart = after.astype(int) - before
        self.assertLess(np.abs(apart).mean(), 0.25 * np.abs(change).mean())

    def test_what_is_received_is_restored_where_it_is_shown(self):
        self.page.evaluate("connect()")
        before = self._luma("two")
        self.page.evaluate("""async () => {
          const { sharpenElement } = await import("./kdsharp/calls/connection.js");
          globalThis.sharp = await sharpenElement(two);
        }""")
        self._check_restored(before, self._luma("two"))
        self.page.evaluate("sharp.close()")
        self._check_same(before, self._luma("two"))

    def test_what_is_sent_is_restored(self):
        self.page.evaluate("connect()")
        before = self._luma("one")
        self.page.evaluate("""async () => {
          const { sharpenSender } = await import("./kdsharp/calls/connection.js");
          globalThis.sharp = await sharpenSender(sender);
        }""")
        change, apart = _compared(before, self._luma("two"))
        # A codec takes its share.
        self.assertLess(np.abs(apart).mean(), 0.5 * np.abs(change).mean())
        self.page.evaluate("sharp.close()")
        self.assertTrue(
            self.page.evaluate("sender.track === stream.getVideoTracks()[0]")
        )

    def test_livekit_takes_it_as_a_processor(self):
        package = npm.package(_LIVEKIT)
        module = "livekit-client.esm.mjs"
        shutil.copyfile(package / "dist" / module, self.site / module)
        self.page.evaluate("""async () => {
          const { LocalVideoTrack } = await import("./livekit-client.esm.mjs");
          const { sharpening } = await import("./kdsharp/calls/livekit.js");
          await connect();
          const track = new LocalVideoTrack(sender.track);
          track.sender = sender;
          track.attach(one);
          Object.assign(globalThis, { track, processor: sharpening() });
        }""")
        before = self._luma("one")
        self.page.evaluate("track.setProcessor(processor)")
        self._check_restored(before, self._luma("one"))
        self.assertTrue(self.page.evaluate("sender.track === processor.processedTrack"))
        self.page.evaluate("track.restartTrack()")
        self._check_restored(before, self._luma("one"))
        self.page.evaluate("track.stopProcessor()")
        self._check_same(before, self._luma("one"))
        self.assertTrue(self.page.evaluate("!processor.processedTrack"))

    def test_jitsi_takes_it_as_an_effect(self):
        package = npm.package(_JITSI)
        script = "lib-jitsi-meet.min.js"
        shutil.copyfile(package / script, self.site / script)
        self.page.add_script_tag(url=script)
        self.page.evaluate("""async () => {
          const { sharpening } = await import("./kdsharp/calls/jitsi.js");
          JitsiMeetJS.init({ disableThirdPartyRequests: true });
          const options = { devices: ["video"], resolution: 180 };
          const [track] = await JitsiMeetJS.createLocalTracks(options);
          track.attach(one);
          Object.assign(globalThis, { track, effect: await sharpening() });
        }""")
        before = self._luma("one")
        self.page.evaluate("track.setEffect(effect)")
        self._check_restored(before, self._luma("one"))
        # The camera is let go, and taken again.
        self.page.evaluate("async () => { await track.mute(); await track.unmute(); }")
        self._check_restored(before, self._luma("one"))
        self.page.evaluate("track.setEffect(undefined)")
        self._check_same(before, self._luma("one"))


def _compared(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the network adds to one picture, and how far the other is from that."""
    restore = planes.create(sites.STUDENT, *before.shape[::-1], range="full")
    wanted = restore(before).astype(int)
    return wanted - before, after - wanted


if __name__ == "__main__":
    absltest.main()
