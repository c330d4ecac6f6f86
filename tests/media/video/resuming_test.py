"""Videos whose runs were interrupted, against those whose were not."""

import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
from unittest import mock

import av
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from kdsharp.base import locks
from kdsharp.errors import UserError
from kdsharp.media.video import fields, restore_file, resuming, segments
from kdsharp.media.video.encoding import Encoding
from kdsharp.runtime.options import RestoreOptions
from tests import waiting
from tests.cli.running import run
from tests.export import random_networks
from tests.media.video import films
from tests.media.video.films import Picture, view

_ROOT = pathlib.Path(__file__).parents[3]
_UNEVEN = Picture(durations=films.UNEVEN * 3)


def _packets(path: pathlib.Path) -> dict[int, list[tuple]]:
    """The packets of each stream: time, duration and content."""
    found: dict[int, list[tuple]] = {}
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.size:
                digest = hashlib.sha256(bytes(packet)).hexdigest()
                times = packet.pts, packet.dts, packet.duration
                told = (*times, packet.time_base, packet.is_keyframe, digest)
                found.setdefault(packet.stream_index, []).append(told)
    return found


def _interrupting(number: int):
    """Sends this process SIGTERM when it starts to restore the frame of that number."""
    restore, count = fields.FieldwiseRestoration.start, 0

    def counted(self, frame):
        nonlocal count
        count += 1
        if count == number:
            waiting.interrupt()
        return restore(self, frame)

    return mock.patch.object(fields.FieldwiseRestoration, "start", counted)


class ResumingTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.enterContext(mock.patch.object(segments, "FRAMES", 10))

    def restore(self, source, out, encoding=Encoding(), **options):  # noqa: B008
        how = RestoreOptions(**{"model": "rt-s-bicubic2", **options})
        return restore_file.restore(source, out, how, encoding, resume=True)

    def interrupted(self, number, *arguments, **options):
        """Has it restored but for what follows that frame; nothing is to be seen."""
        with (
            self.assertRaises(restore_file.Unfinished) as caught,
            _interrupting(number),
        ):
            self.restore(*arguments, **options)
        self.assertEqual(caught.exception.exit_status, 143)
        self.assertFalse(arguments[1].exists())
        return str(caught.exception)

    @parameterized.parameters(
        ("libx264", ".mp4"),
        ("libx264", ".ts"),
        ("libx265", ".mkv"),
        ("libsvtav1", ".mp4"),
        ("libvpx-vp9", ".webm"),
        ("prores_ks", ".mov"),
        ("ffv1", ".mkv"),
        ("mpeg4", ".mp4"),
        ("mpeg4", ".avi"),
    )
    @pytest.mark.slow
    def test_it_is_what_an_uninterrupted_run_makes(self, codec, ending):
        picture = _UNEVEN
        if ending == ".avi":
            # Its frames follow the rate that it states.
            picture = Picture(durations=(3600,) * 36)
        # Opus and MP2 are what these containers take; others hold AAC.
        sound = {".webm": "libopus", ".avi": "mp2"}.get(ending, "aac")
        extras = [films.sound(1.5, sound)]
        source = films.write(self.folder / "in.mkv", picture, *extras)
        whole, out = self.folder / f"whole{ending}", self.folder / f"out{ending}"
        encoding = Encoding(codec=codec)
        self.restore(source, whole, encoding)
        # The second goes on with the eleventh frame.
        for number, kept in ((13, 10), (14, 20)):
            words = self.interrupted(number, source, out, encoding)
            self.assertStartsWith(words, f"SIGTERM: {kept} frames are kept, and the")
        report = self.restore(source, out, encoding)
        self.assertEqual((report.kept, report.frames), (20, 36))
        self.assertEqual(_packets(out), _packets(whole))
        first, second = films.read(whole), films.read(out)
        self.assertLen(second, 36)
        for one, other in zip(first, second, strict=True):
            self.assertEqual(one.pts, other.pts)
            np.testing.assert_array_equal(view(one), view(other))
        self.assertEqual(
            {path.name for path in self.folder.iterdir()},
            {source.name, whole.name, out.name},
        )

    def test_it_has_what_it_has_without_segments(self):
        def title(out, _):
            out.metadata["title"] = "a film"
            out.set_chapters(
                [
                    {
                        "id": 1,
                        "start": 200,
                        "end": 900,
                        "time_base": films.BASE * 90,
                        "metadata": {"title": "one"},
                    }
                ]
            )

        lines = films.subtitles("subrip", [(100, 400, "well"), (700, 1100, "yes")])
        source = films.write(
            self.folder / "in.mkv", _UNEVEN, films.sound(1.6), lines, title
        )
        plain, out = self.folder / "plain.mp4", self.folder / "out.mp4"
        how = RestoreOptions(strength=0)
        restore_file.restore(source, plain, how)
        self.interrupted(13, source, out, strength=0)
        self.restore(source, out, strength=0)
        for kind in ("audio", "subtitles"):
            self.assertNotEmpty(films.packets(out, kind))
            self.assertEqual(films.packets(out, kind), films.packets(plain, kind))
        wanted = [frame.pts * frame.time_base for frame in films.read(source)]
        times = [frame.pts * frame.time_base for frame in films.read(out)]
        self.assertEqual(times, wanted)
        told = []
        for path in (plain, out):
            with av.open(str(path)) as container:
                of_streams = [dict(stream.metadata) for stream in container.streams]
                chapters = container.chapters()
                told.append((dict(container.metadata), of_streams, chapters))
        self.assertEqual(told[0][0]["title"], "a film")
        self.assertLen(told[0][2], 1)
        self.assertEqual(told[1], told[0])

    def test_a_network_with_a_memory_begins_each_segment_anew(self):
        context = dict(name="real_time", channels=1, width=6, context=4)
        model = str(random_networks.save(self.folder, context))
        # Pictures that differ, so that what is remembered of them matters.
        source = films.write(self.folder / "in.mkv", Picture(durations=(3600,) * 25))
        whole, out = self.folder / "whole.mkv", self.folder / "out.mkv"
        ffv1 = Encoding(codec="ffv1")
        self.restore(source, whole, ffv1, model=model)
        self.interrupted(13, source, out, ffv1, model=model)
        self.restore(source, out, ffv1, model=model)
        for one, other in zip(films.read(whole), films.read(out), strict=True):
            np.testing.assert_array_equal(view(one), view(other))
        # Of the twenty-first frame alone, as the first of a video.
        cut, alone = self.folder / "cut.mkv", self.folder / "alone.mkv"
        with av.open(str(cut), "w") as made:
            stream = made.add_stream("ffv1", rate=25)
            stream.width, stream.height = films.WIDTH, films.HEIGHT
            stream.pix_fmt = "yuv420p"
            stream.codec_context.color_range = 1
            made.mux(stream.encode(films.read(source)[20]))
            made.mux(stream.encode(None))
        restore_file.restore(cut, alone, RestoreOptions(model=model), ffv1)
        np.testing.assert_array_equal(
            view(films.read(out)[20]), view(films.read(alone)[0])
        )

    def test_deinterlaced_frames_are_the_same(self):
        source = films.write(
            self.folder / "in.mkv",
            Picture(
                durations=(3600,) * 25, options=(("qp", "0"), ("x264-params", "tff=1"))
            ),
        )
        whole, out = self.folder / "whole.mkv", self.folder / "out.mkv"

        def restore(path):
            options = RestoreOptions(model="rt-s-bicubic2")
            how = dict(deinterlace=True, resume=True)
            restore_file.restore(source, path, options, **how)

        restore(whole)
        with self.assertRaises(restore_file.Unfinished), _interrupting(13):
            restore(out)
        restore(out)
        self.assertEqual(_packets(out), _packets(whole))

    def test_another_command_is_refused_and_loses_nothing(self):
        source = films.write(self.folder / "in.mp4", _UNEVEN)
        out = self.folder / "out.mp4"
        self.interrupted(13, source, out)
        kept = resuming.folder(out)
        before = {path.name: path.read_bytes() for path in kept.iterdir()}
        wanted = (
            f"{kept} belongs to another command .strength was 1.0 and is 0.5.: repeat"
        )
        with self.assertRaisesRegex(UserError, wanted):
            self.restore(source, out, strength=0.5)
        with self.assertRaisesRegex(UserError, "encoder's crf was None and is 30"):
            self.restore(source, out, Encoding(crf=30))
        os.utime(source, (1, 1))
        with self.assertRaisesRegex(UserError, "time of the video was "):
            self.restore(source, out)
        self.assertEqual(
            {path.name: path.read_bytes() for path in kept.iterdir()}, before
        )

    def test_damaged_segments_are_made_again(self):
        source = films.write(self.folder / "in.mp4", _UNEVEN)
        whole, out = self.folder / "whole.mp4", self.folder / "out.mp4"
        self.restore(source, whole)
        self.interrupted(33, source, out)
        kept = resuming.folder(out)
        content = bytearray((kept / "000001.packets").read_bytes())
        content[len(content) // 2] ^= 1
        (kept / "000001.packets").write_bytes(content)
        index = kept / "000002.json"
        index.write_text(index.read_text()[:40])
        with self.assertLogs(segments.logger, "WARNING") as logs:
            report = self.restore(source, out)
        self.assertLen(logs.output, 2)
        self.assertEqual(report.kept, 10)
        self.assertEqual(_packets(out), _packets(whole))

    def test_segments_of_other_frames_are_not_taken(self):
        source = films.write(self.folder / "in.mp4", _UNEVEN)
        out = self.folder / "out.mp4"
        self.interrupted(23, source, out)
        index = resuming.folder(out) / "000001.json"
        told = json.loads(index.read_text())
        index.write_text(json.dumps({**told, "first": told["first"] + 1}))
        with self.assertRaisesRegex(
            UserError, "does not fit the frames .* start again"
        ):
            self.restore(source, out)
        self.assertFalse(out.exists())

    def test_two_runs_do_not_work_on_the_same(self):
        source = films.write(self.folder / "in.mp4", _UNEVEN)
        out = self.folder / "out.mp4"
        self.interrupted(13, source, out)
        with (
            locks.exclusive(resuming.folder(out) / "lock"),
            self.assertRaisesRegex(UserError, "another run uses"),
        ):
            self.restore(source, out)
        self.assertEqual(self.restore(source, out).kept, 10)

    def test_nothing_is_left_of_a_run_that_kept_nothing(self):
        source = films.write(self.folder / "in.mp4", _UNEVEN)
        out = self.folder / "out.mp4"
        words = self.interrupted(3, source, out)
        self.assertIn("fewer than 10 frames were finished, and none is kept", words)
        with self.assertRaisesRegex(UserError, "unknown codec"):
            self.restore(source, out, Encoding(codec="h2645"))
        self.assertEqual([path.name for path in self.folder.iterdir()], [source.name])

    def test_segments_are_on_the_disk_before_they_count(self):
        source = films.write(self.folder / "in.mp4", _UNEVEN)
        out = self.folder / "out.mp4"
        events = []
        flush, replace = os.fsync, pathlib.Path.replace

        def flushed(descriptor):
            events.append(("flush", os.readlink(f"/proc/self/fd/{descriptor}")))
            flush(descriptor)

        def moved(path, target):
            events.append(("move", str(target)))
            return replace(path, target)

        with (
            mock.patch.object(os, "fsync", flushed),
            mock.patch.object(pathlib.Path, "replace", moved),
        ):
            self.restore(source, out)
        kept = resuming.folder(out)
        index = events.index(("move", str(kept / "000001.json")))
        self.assertIn(("flush", str(kept / "000001.packets")), events[:index])
        self.assertEqual(events[index - 1][0], "flush")
        self.assertIn("000001.json", events[index - 1][1])
        self.assertEqual(events[index + 1], ("flush", str(kept)))
        # Nothing is removed before the film itself is there.
        self.assertEqual(events[-2:][0], ("move", str(out)))
        self.assertEqual(events[-1], ("flush", str(self.folder)))


@pytest.mark.slow
class KilledTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.out = self.folder / "out.mp4"
        self.kept = resuming.folder(self.out)

    def command(self, source, *, largest=None):
        command = [sys.executable, "-m", "kdsharp", "video", str(source)]
        if largest:
            command = ["prlimit", f"--fsize={largest}", *command]
        options = [str(self.out), "--resume", "--threads", "1"]
        return subprocess.Popen(
            [*command, *options], cwd=_ROOT, stderr=subprocess.PIPE, text=True
        )

    def killed(self, source, moment, what):
        process = self.command(source)
        waiting.until(moment, what, ended=lambda: process.poll() is not None)
        process.kill()
        process.communicate()
        self.assertEqual(process.returncode, -signal.SIGKILL)
        self.assertFalse(self.out.exists())

    def is_begun(self, number):
        path = self.kept / f"{number:06}.packets"
        return path.exists() and path.stat().st_size

    def test_a_film_that_was_killed_again_and_again_is_the_same(self):
        picture = Picture(durations=films.UNEVEN * 80)
        source = films.write(self.folder / "in.mp4", picture, films.sound(44))
        whole = self.folder / "whole.mp4"
        self.assertEqual(run("video", source, whole, "--resume", "--threads", 1)[0], 0)
        self.killed(source, self.kept.exists, "the folder")
        self.killed(source, lambda: self.is_begun(0), "a first packet")
        self.killed(source, (self.kept / "000000.json").exists, "a whole segment")
        self.killed(source, lambda: self.is_begun(1), "a packet of the second segment")
        status, said, complaint = run(
            "video", source, self.out, "--resume", "--threads", 1
        )
        self.assertEqual(status, 0, complaint)
        self.assertRegex(said, "after (240|480) resumed ones")
        self.assertEqual(_packets(self.out), _packets(whole))
        times = [frame.pts * frame.time_base for frame in films.read(self.out)]
        wanted = [frame.pts * frame.time_base for frame in films.read(source)]
        self.assertLen(times, 960)
        self.assertEqual(times, wanted)
        self.assertEqual(
            sorted(path.name for path in self.folder.iterdir()),
            [source.name, self.out.name, whole.name],
        )

    def test_after_a_full_disk_the_same_command_goes_on(self):
        options = (("qp", "0"), ("preset", "ultrafast"))
        picture = Picture(durations=films.UNEVEN * 60, options=options)
        source = films.write(self.folder / "in.mp4", picture)
        process = self.command(source, largest=200_000)
        complaint = process.communicate()[1]
        self.assertEqual(process.returncode, 1, complaint)
        self.assertRegex(
            complaint, "is full: free some space; [24]\\d0 frames are kept"
        )
        self.assertEqual(complaint.count("\n"), 1)
        self.assertFalse(self.out.exists())
        process = self.command(source)
        process.communicate()
        self.assertEqual(process.returncode, 0)
        self.assertLen(films.read(self.out), 720)


if __name__ == "__main__":
    absltest.main()
