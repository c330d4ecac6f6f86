"""Live streams between local processes."""

import itertools
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from unittest import mock

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from kdsharp.errors import UserError
from kdsharp.media.video.encoding import Encoding
from kdsharp.media.video.live import inputs, outputs, reading, streaming, window
from kdsharp.media.video.live.latest_frame import LatestFrame
from kdsharp.runtime.options import RestoreOptions
from tests import waiting
from tests.media.video import clocks, films
from tests.media.video.films import HEIGHT, WIDTH, Picture, view

_ROOT = pathlib.Path(__file__).parents[3]
_SIZES = {(WIDTH, HEIGHT)}
_RESTORING = RestoreOptions(model="rt-s-bicubic2")


def _process(*arguments) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.media.video.clocks"]
    return subprocess.Popen(
        command + [str(argument) for argument in arguments],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
class LiveTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def restore(self, source, out, *, encoding=Encoding(), restoring=_RESTORING, **how):  # noqa: B008
        return streaming.restore(str(source), str(out), restoring, encoding, **how)

    def start(self, *arguments):
        process = _process(*arguments)
        pipes = (process.stdin.close, process.stdout.close)
        for end in (*pipes, process.wait, process.terminate):
            self.addCleanup(end)
        return process

    def send(self, url, frames, width=WIDTH, height=HEIGHT, asked=False):
        """Sends; with `asked`, once a line was written to it."""
        verb = "send-when-asked" if asked else "send"
        return self.start(verb, url, frames, 25, width, height)

    @parameterized.parameters("udp", "rtp", "rtsp")
    def test_restores_a_stream(self, scheme):
        into, onward = clocks.free_port(), clocks.free_port()
        goal, options = f"{scheme}://127.0.0.1:{onward}", []
        if scheme == "rtsp":
            # Who receives is the server here; the time it waits for is in seconds.
            goal, options = f"{goal}/live", ["rtsp_flags=listen", "listen_timeout=60"]
        receiver = self.start("receive", goal, *options)
        self.send(f"udp://127.0.0.1:{into}?pkt_size=1316", 1500)
        report = self.restore(f"udp://127.0.0.1:{into}", goal, duration=2.5)
        lines = receiver.communicate()[0].splitlines()
        self.assertGreater(len(lines), 10)
        seen, delays, *sizes = np.array([line.split() for line in lines]).astype(int).T
        self.assertEqual({tuple(size) for size in np.transpose(sizes)}, _SIZES)
        # A sender that is late sends two at once.
        self.assertLess((np.diff(seen) % 2**16).max(), 2**15)
        self.assertGreater(report.frames, 10)
        # What is added on the way is part of what passes between the two ends.
        self.assertLess(report.latency.median, np.median(delays) / 1000 + 0.01)

    @unittest.skipUnless(shutil.which("ffmpeg"), "needs ffmpeg")
    def test_srt_uses_ffmpeg_for_input_and_output(self):
        into, onward = (f"srt://127.0.0.1:{clocks.free_port()}" for _ in range(2))
        got = self.folder / "got.mkv"
        source = films.write(self.folder / "in.mp4", Picture(durations=(3600,) * 100))
        quiet = ["ffmpeg", "-v", "quiet"]
        soon = ["-probesize", "100000", "-analyzeduration", "300000"]
        receiver = subprocess.Popen(
            [*quiet, *soon, "-i", f"{onward}?mode=listener", "-c", "copy", str(got)]
        )
        self.addCleanup(receiver.wait)
        self.addCleanup(receiver.kill)
        self._call_again_and_again(
            [
                *(*quiet, "-re", "-stream_loop", "-1", "-i", source),
                *("-c", "copy", "-f", "mpegts", into),
            ]
        )
        report = self.restore(f"{into}?mode=listener", onward, duration=4)
        self.assertGreater(report.frames, 40)
        receiver.wait(waiting.PATIENCE)
        frames = films.read(got)
        self.assertEqual({(f.width, f.height) for f in frames}, _SIZES)
        self.assertBetween(len(frames), 10, report.frames)

    def _call_again_and_again(self, command: list) -> None:
        """Runs a program until the test ends: who calls too soon calls in vain."""
        over, running = threading.Event(), []

        def call():
            while not over.wait(0.1):
                running.append(subprocess.Popen(command))
                running[-1].wait()

        thread = threading.Thread(target=call)
        thread.start()

        def end():
            over.set()
            while thread.is_alive():
                for process in running[-1:]:
                    process.kill()
                thread.join(0.1)

        self.addCleanup(end)

    @unittest.skipUnless(shutil.which("ffmpeg"), "needs ffmpeg")
    def test_no_program_is_left_waiting_for_a_connection(self):
        url = f"srt://127.0.0.1:{clocks.free_port()}?mode=listener"

        def programs() -> bytes:
            pgrep = ["pgrep", "-f", re.escape(url)]
            return subprocess.run(pgrep, check=False, capture_output=True).stdout

        def stop():
            waiting.until(programs, "a program that listens")
            os.kill(os.getpid(), signal.SIGTERM)

        stopping = threading.Thread(target=stop, daemon=True)
        stopping.start()
        with self.assertRaises(KeyboardInterrupt):
            self.restore(url, self.folder / "out.mkv", patience=waiting.PATIENCE)
        stopping.join()
        self.assertEqual(programs(), b"")

    @unittest.skipUnless(shutil.which("ffplay"), "needs ffplay")
    def test_closing_the_window_ends_the_run(self):
        source = films.write(self.folder / "in.mp4", Picture(durations=(3600,) * 500))
        # ffplay's, where there is no mpv. No screen here: SDL draws on none.
        self.enterContext(mock.patch.object(window, "installed", lambda: False))
        self.enterContext(mock.patch.dict(os.environ, {"SDL_VIDEODRIVER": "dummy"}))

        def close():
            player = ["-P", str(os.getpid()), "ffplay"]
            seen = ["pgrep", *player]
            while subprocess.run(seen, check=False, capture_output=True).returncode:
                time.sleep(0.2)
            # It shows some frames first.
            time.sleep(1)
            subprocess.run(["pkill", *player], check=True)

        closing = threading.Thread(target=close)
        closing.start()
        report = self.restore(source, "window")
        closing.join()
        self.assertBetween(report.frames, 1, 400)

    def test_reconnects_into_the_same_file(self):
        port, out = clocks.free_port(), self.folder / "out.mkv"
        listening = f"tcp://127.0.0.1:{port}?listen=1&listen_timeout=120000"
        first = self.send(listening, 30)
        # Ready to go: how long it takes to start is no part of how long it was away.
        second = self.send(listening, 30, width=96, height=80, asked=True)

        def again():
            first.wait()
            second.communicate("go\n")

        thread = threading.Thread(target=again)
        thread.start()
        with self.assertLogs("kdsharp", "WARNING") as logs:
            report = self.restore(f"tcp://127.0.0.1:{port}", out, patience=8)
        thread.join()
        self.assertEqual(report.returned, 1)
        self.assertIn("returned", "\n".join(logs.output))
        frames = films.read(out)
        self.assertEqual({(f.width, f.height) for f in frames}, {(WIDTH, HEIGHT)})
        times = [float(f.pts * f.time_base) for f in frames]
        self.assertEqual(times, sorted(set(times)))
        self.assertLen(frames, report.frames)
        # What came back may be late, and takes its place by when it came.
        self.assertGreater(np.diff(times).max(), 0.2)
        shown = np.diff([clocks.told(view(f)) for f in frames]) % 2**16
        self.assertBetween(shown.max(), 200, 2**15)

    def test_slow_networks_drop_frames(self):
        picture = Picture(width=160, height=96, durations=(1800,) * 30)
        source = films.write(self.folder / "in.mp4", picture)
        out = self.folder / "out.mkv"
        report = self.restore(
            source, out, restoring=RestoreOptions(model="dncnn17-bicubic2", threads=1)
        )
        self.assertGreater(report.dropped, 0)
        self.assertEqual(report.frames + report.dropped, 30)
        last = films.read(out)[-1]
        self.assertAlmostEqual(float(last.pts * last.time_base), 29 / 50, 2)

    def test_audio_is_copied(self):
        source = films.write(self.folder / "in.mp4", Picture(), films.sound(0.48))
        out = self.folder / "out.mp4"
        self.restore(source, out)
        before = {data for _, data in films.packets(source, "audio")}
        after = {data for _, data in films.packets(out, "audio")}
        self.assertNotEmpty(after)
        self.assertLessEqual(after, before)

    def test_missing_inputs_and_outputs_are_reported(self):
        port, out = clocks.free_port(), self.folder / "out.mkv"
        with self.assertRaisesRegex(UserError, "cannot be opened"):
            self.restore(f"tcp://127.0.0.1:{port}", out, patience=0.2)
        with self.assertRaisesRegex(UserError, "neither a file nor an address"):
            self.restore(self.folder / "missing.mp4", out)
        with self.assertRaisesRegex(UserError, "neither window"):
            self.restore("testsrc=s=64x48", "nowhere", input_format="lavfi")
        self.assertEmpty(list(self.folder.iterdir()))

    def test_reports_what_it_waits_for(self):
        out = self.folder / "out.mkv"
        with (
            self.assertLogs("kdsharp", "INFO") as logs,
            self.assertRaisesRegex(UserError, "connect a camera, or name another"),
        ):
            self.restore("/dev/video77", out, patience=0)
        self.assertEqual(
            logs.records[0].getMessage(), "waiting for /dev/video77, 0 s at most"
        )

    def test_unavailable_inputs_are_reported_once(self):
        camera, asked = inputs.find("/dev/video77", None, {}), itertools.count()
        arrivals = reading.Arrivals(camera, 60, lambda: next(asked) >= 4)
        with (
            mock.patch.object(time, "sleep") as sleep,
            self.assertLogs("kdsharp", "INFO") as logs,
        ):
            self.assertEmpty(list(arrivals.items()))
        self.assertGreater(sleep.call_count, 1)
        (record,) = logs.records
        self.assertIn("not available yet: No such file", record.getMessage())

    def test_patience_counts_from_the_start_of_the_command(self):
        camera = inputs.find("/dev/video77", None, {})
        since = time.monotonic() - 60
        late = reading.Arrivals(camera, 60, lambda: False, since)
        with (
            mock.patch.object(time, "sleep", side_effect=AssertionError),
            self.assertRaisesRegex(UserError, "cannot be opened: No such file"),
        ):
            list(late.items())

    def test_silent_streams_time_out(self):
        port, out = clocks.free_port(), self.folder / "out.mkv"
        words = "timed out; check the address, and that the sender is running"
        with self.assertRaisesRegex(UserError, words):
            self.restore(f"udp://127.0.0.1:{port}", out, patience=0)

    @parameterized.parameters(float("nan"), float("inf"), -1)
    def test_patience_must_be_finite_and_positive(self, seconds):
        with self.assertRaisesRegex(UserError, "--patience must be at least 0 seconds"):
            self.restore("camera", self.folder / "out.mkv", patience=seconds)

    def test_existing_files_are_kept(self):
        out = self.folder / "out.mkv"
        out.write_text("precious")
        source = films.write(self.folder / "in.mp4")
        with self.assertRaisesRegex(UserError, "exists"):
            self.restore(source, out)
        self.assertEqual(out.read_text(), "precious")

    def test_names_are_resolved_for_ffmpeg(self):
        self.assertEqual(inputs.find("/dev/video3", None, {}).format, "v4l2")
        grab = inputs.find("udp://127.0.0.1:5000", None, {"fifo_size": "7"})
        self.assertEqual(dict(grab.options)["fifo_size"], "7")
        sent = outputs.find("udp://127.0.0.1:5000")
        self.assertEqual(
            (sent.format, sent.url), ("mpegts", "udp://127.0.0.1:5000?pkt_size=1316")
        )
        self.assertEqual(outputs.find("/dev/video9").format, "v4l2")
        loop = outputs.encoding(outputs.find("/dev/video9"), Encoding())
        self.assertEqual(loop.codec, "rawvideo")


class LatestFrameTest(absltest.TestCase):
    def test_returns_the_latest_frame_and_counts_dropped_ones(self):
        place = LatestFrame()
        for number in range(5):
            place.put(number)
        place.add("sound")
        self.assertEqual(place.take(), (["sound"], 4))
        self.assertEqual(place.dropped, 4)
        place.put(5)
        place.end()
        self.assertEqual(place.take(), ([], 5))
        self.assertIsNone(place.take())


if __name__ == "__main__":
    absltest.main()
