"""Videos whose restoration fails or is interrupted: errors, signals, a full disk."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from unittest import mock

import av
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from kdsharp.media.video import fields, restore_file
from tests import waiting
from tests.cli.running import run
from tests.media.video import films
from tests.media.video.films import HEIGHT, WIDTH, Picture, view

_ROOT = pathlib.Path(__file__).parents[3]


class EndingsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.out = self.folder / "out.mp4"

    def assert_refused(self, words, *arguments):
        before = sorted(self.folder.iterdir())
        status, said, complaint = run("video", *arguments)
        self.assertEqual((status, said), (2, ""), complaint)
        self.assertRegex(complaint, f"^kdsharp: .*{words}")
        self.assertEqual(complaint.count("\n"), 1, complaint)
        self.assertEqual(sorted(self.folder.iterdir()), before)

    def test_unreadable_inputs_are_named(self):
        text = self.folder / "in.mp4"
        text.write_text("no video, only words")
        self.assert_refused("in.mp4 cannot be read", text, self.out)
        self.assert_refused(
            "there is no file .*gone.mp4", self.folder / "gone.mp4", self.out
        )
        sound = self.folder / "sound.mka"
        with av.open(str(sound), "w") as out:
            films.sound()(out, None)()
        self.assert_refused("contains no video", sound, self.out)
        source = films.write(self.folder / "whole.mp4")
        cut = self.folder / "cut.mp4"
        cut.write_bytes(source.read_bytes()[:2000])
        self.assert_refused("cut.mp4 cannot be read", cut, self.out)

    @parameterized.parameters(
        ("unknown codec 'h2645'", ".mp4", "--codec", "h2645"),
        ("encodes audio", ".mp4", "--codec", "aac"),
        ("does not support", ".webm", "--codec", "h264"),
        ("ffv1 has no option crf", ".mkv", "--codec", "ffv1", "--crf", "20"),
        ("libx264 takes 0 .* to 51", ".mp4", "--crf", "999"),
        ("libvpx-vp9 takes 0 .* to 63", ".webm", "--codec", "vp9", "--crf", "-1"),
        ("libx264 cannot be started", ".mp4", "--preset", "swift"),
        ("cannot be written", ".nonsense"),
        ("has no extension", ""),
        ("--size must look like 1280x720", ".mp4", "--size", "720p"),
        ("--start must be a time in seconds", ".mp4", "--start", "later"),
        ("ends at 0:00:00.5", ".mp4", "--start", "1:00"),
        ("out of range", ".mp4", "--strength", "-1"),
        ("no weights", ".mp4", "--model", "none-such"),
        ("unknown backend", ".mp4", "--backend", "abacus"),
    )
    def test_errors_are_reported_before_writing(self, words, ending, *options):
        source = films.write(self.folder / "in.mp4")
        out = self.folder / f"out{ending}"
        self.assert_refused(words, source, out, *options)

    def test_unwritable_outputs_are_named(self):
        source = films.write(self.folder / "in.mp4")
        # Not even the superuser writes there.
        out = pathlib.Path("/proc/nowhere/out.mp4")
        self.assert_refused(f"{out} cannot be written .*: give another", source, out)

    def test_odd_sizes_need_an_encoder_that_supports_them(self):
        odd = Picture(codec="ffv1", options=(), width=63, height=47)
        source = films.write(self.folder / "odd.mkv", odd)
        words = r"odd sizes \(63x47\).* --codec vp9"
        self.assert_refused(words, source, self.out)
        out = self.folder / "out.webm"
        self.assertEqual(run("video", source, out, "--codec", "vp9")[0], 0)
        self.assertEqual({(f.width, f.height) for f in films.read(out)}, {(63, 47)})

    def test_existing_files_need_overwrite(self):
        source = films.write(self.folder / "in.mp4")
        self.out.write_text("precious")
        self.assert_refused("exists", source, self.out)
        self.assert_refused("is the input itself", source, source, "--overwrite")
        self.assertEqual(self.out.read_text(), "precious")
        status, said, _ = run("video", source, self.out, "--overwrite", "--strength", 0)
        self.assertEqual(status, 0)
        self.assertIn("12 frames", said)
        for stage in ("decode", "restore", "encode"):
            self.assertIn(stage, said)
        self.assertLen(films.read(self.out), 12)

    def test_truncated_files_are_restored_up_to_their_end(self):
        source = films.write(self.folder / "in.mkv", Picture(durations=(3600,) * 50))
        whole = source.read_bytes()
        source.write_bytes(whole[: len(whole) // 2])
        status, _, complaint = run("video", source, self.out, "--strength", 0)
        self.assertEqual(status, 0)
        self.assertIn("is truncated at", complaint)
        self.assertBetween(len(films.read(self.out)), 15, 35)

    def test_damage_affects_only_nearby_frames(self):
        source = films.write(
            self.folder / "in.mkv",
            Picture(durations=(3600,) * 50, options=(("qp", "0"), ("g", "5"))),
        )
        whole = bytearray(source.read_bytes())
        middle = len(whole) // 2
        whole[middle : middle + 2000] = np.random.default_rng(1).bytes(2000)
        source.write_bytes(whole)
        status, _, _ = run("video", source, self.out, "--strength", 0)
        self.assertEqual(status, 0)
        times = [round(float(f.pts * f.time_base) * 25) for f in films.read(self.out)]
        self.assertGreater(len(times), 30)
        self.assertEqual(times[-1], 49)

    def test_frames_of_another_size_are_resized(self):
        stream = b"".join(
            films.write(self.folder / f"{number}.ts", picture).read_bytes()
            for number, picture in enumerate(
                (Picture(), Picture(width=96, height=80, begin=90000))
            )
        )
        source = self.folder / "in.ts"
        source.write_bytes(stream)
        status, _, complaint = run("video", source, self.out)
        self.assertEqual(status, 0, complaint)
        self.assertIn(f"96x80 are resized to {WIDTH}x{HEIGHT}", complaint)
        frames = films.read(self.out)
        self.assertLen(frames, 24)
        self.assertEqual({(f.width, f.height) for f in frames}, {(WIDTH, HEIGHT)})
        self.assertGreater(view(frames[-1]).std(), 10)

    def _start(self, source, out, *options, largest: int | None = None):
        """Begins, allowed to write files of `largest` bytes."""
        command = [sys.executable, "-m", "kdsharp.cli", "video", str(source), str(out)]
        if largest:
            command = ["prlimit", f"--fsize={largest}", *command]
        return subprocess.Popen(
            [*command, *options], cwd=_ROOT, stderr=subprocess.PIPE, text=True
        )

    @parameterized.parameters(
        (".mp4", signal.SIGINT, 130), (".mkv", signal.SIGTERM, 143)
    )
    @pytest.mark.slow
    def test_a_signal_leaves_a_playable_file(self, ending, number, wanted):
        picture = Picture(width=160, height=120, durations=(3600,) * 250)
        source = films.write(self.folder / "in.mp4", picture, films.sound(10))
        out = self.folder / f"out{ending}"
        # No file tells when its first frame is done: a busy machine is given longer.
        for seconds in (1, 5, 20, 60):
            options = ("--threads", "1", "--model", _SLOW, "--overwrite")
            process = self._start(source, out, *options)
            unfinished = self.folder / f".unfinished-{process.pid}-out{ending}"
            waiting.until(
                unfinished.exists,
                "a file that is being written",
                ended=lambda process=process: process.poll() is not None,
            )
            time.sleep(seconds)
            process.send_signal(number)
            complaint = process.communicate()[1]
            self.assertEqual(process.returncode, wanted, complaint)
            self.assertIn("contains the video up to 0:00:", complaint)
            self.assertFalse(unfinished.exists())
            if frames := films.read(out):
                break
        self.assertBetween(len(frames), 1, 249)
        times = [round(float(f.pts * f.time_base) * 25, 1) for f in frames]
        np.testing.assert_allclose(np.diff(times), 1, atol=0.11)

    @parameterized.parameters(".mp4", ".mkv")
    def test_a_signal_before_the_first_frame_leaves_no_file(self, ending):
        source = films.write(self.folder / "in.mp4")
        out = self.folder / f"out{ending}"
        prepare = fields.FieldwiseRestoration.prepare

        def interrupted(restoration, frame):
            waiting.interrupt()
            return prepare(restoration, frame)

        with mock.patch.object(fields.FieldwiseRestoration, "prepare", interrupted):
            status, _, complaint = run("video", source, out)
        self.assertEqual(status, 143)
        self.assertRegex(complaint, "SIGTERM: no frame was finished, and nothing was")
        self.assertEqual(list(self.folder.iterdir()), [source])

    @parameterized.parameters(".mp4", ".mkv")
    @pytest.mark.slow
    def test_what_a_killed_run_left_can_be_played_until_the_next_removes_it(
        self, ending
    ):
        picture = Picture(durations=(3600,) * 1000)
        source = films.write(self.folder / "in.mp4", picture, films.sound(40))
        out = self.folder / f"out{ending}"
        # An encoder that holds nothing back for later.
        how = ("--codec", "mpeg4", "--threads", "1", "--model", _SLOW)
        process = self._start(source, out, *how)
        unfinished = self.folder / f".unfinished-{process.pid}-out{ending}"
        waiting.until(
            lambda: restore_file.is_playable(unfinished),
            "a file that plays",
            ended=lambda: process.poll() is not None,
        )
        process.kill()
        process.communicate()
        found = films.read(unfinished)
        times = [round(float(f.pts * f.time_base) * 25) for f in found]
        self.assertEqual(set(np.diff(times)), {1})
        self.assertBetween(len(found), 5, 999)
        elsewhere = self.folder / f".unfinished-{os.getppid()}-out{ending}"
        elsewhere.write_text("is being written")
        status, _, complaint = run(
            "video", source, out, "--strength", 0, "--duration", 1
        )
        self.assertEqual(status, 0, complaint)
        self.assertIn(f"removed {unfinished}, left behind by a killed run", complaint)
        self.assertEqual(
            {path.name for path in self.folder.iterdir()},
            {source.name, out.name, elsewhere.name},
        )

    @parameterized.parameters(".mp4", ".mkv")
    @pytest.mark.slow
    def test_a_full_disk_keeps_what_was_written(self, ending):
        picture = Picture(width=160, height=128, durations=(3600,) * 100)
        source = films.write(self.folder / "in.mp4", picture)
        out = self.folder / f"out{ending}"

        options = ("--crf", "0", "--strength", "0")
        process = self._start(source, out, *options, largest=400_000)
        complaint = process.communicate()[1]
        self.assertEqual(process.returncode, 1, complaint)
        self.assertRegex(complaint, "disk is full: .* contains the first 0:00:0")
        self.assertEqual(
            sorted(p.name for p in self.folder.iterdir()), [source.name, out.name]
        )
        frames = films.read(out, to_the_end=False)
        self.assertBetween(len(frames), 2, 99)
        for before, after in zip(films.read(source), frames, strict=False):
            np.testing.assert_array_equal(view(before), view(after))


_SLOW = "dncnn17-bicubic2"


if __name__ == "__main__":
    absltest.main()
