"""True frames from videos: consecutive, downscaled, from videos of sufficient size."""

import pathlib

import av
import numpy as np
import pytest
import skimage.data
from absl.testing import absltest, parameterized
from PIL import Image

from kdsharp.data import decoding, sources, splits
from kdsharp.data.clips import footage, preparing, rebuilding, recipes, scenes, shards
from kdsharp.errors import UserError

_COFFEE = Image.fromarray(skimage.data.coffee())
_GREY = 30


def _write(path: pathlib.Path, count: int, size=(640, 400), rate: int = 25) -> None:
    """Writes a video of a picture above a band that encodes the frame number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"qp": "10"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for number in range(count):
            pixels = np.array(_COFFEE.resize(size))
            pixels[-64:] = _GREY + 4 * number
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _number(frame: Image.Image) -> int:
    return round((np.asarray(frame)[-32:].mean() - _GREY) / 4)


class FootageTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)

    @parameterized.parameters(0.0, 0.4, 1.0)
    @pytest.mark.slow
    def test_frames_are_consecutive_from_the_given_position(self, place):
        _write(self.root / "a.mp4", 50)
        numbers = [_number(f) for f in footage.frames(self.root / "a.mp4", place)]
        first = numbers[0]
        self.assertEqual(numbers, list(range(first, first + recipes.FRAMES)))
        # Of 50 frames, a clip of 32 cannot start in the last ones.
        self.assertBetween(first, place * 15 - 1, place * 15 + 2)

    def test_video_is_downscaled_and_cropped_as_in_the_recipe(self):
        _write(self.root / "a.mp4", 50)
        scene = {"kind": "video", "file": "a.mp4", "from": 0.5, "scale": 1.6}
        scene |= {"at": [1.0, 0.0], "flip": False, "pan": [0, 0]}
        originals = rebuilding.OriginalFiles("", self.root)
        shown = list(scenes.frames(scene, originals))
        self.assertLen(shown, recipes.FRAMES)
        width, height = 1.6 * recipes.WIDTH, 1.6 * recipes.HEIGHT
        box = (640 - width, 0, 640, height)
        expected = _COFFEE.resize((640, 400)).resize(
            (recipes.WIDTH, recipes.HEIGHT), Image.Resampling.BICUBIC, box=box
        )
        # The video itself was encoded, so frames are not exact.
        difference = np.asarray(shown[3], float) - np.asarray(expected)
        self.assertLess(np.abs(difference).mean(), 4)

    def test_unusable_videos_are_skipped_and_logged(self):
        _write(self.root / "good/a.mp4", 48)
        _write(self.root / "small.mp4", 48, size=(320, 240))
        _write(self.root / "short.mkv", 20)
        (self.root / "broken.mov").write_bytes(b"nothing")
        with self.assertLogs("kdsharp", "WARNING") as logs:
            found = footage.find(self.root)
        size = (self.root / "good/a.mp4").stat().st_size
        self.assertEqual(found, {"good/a.mp4": size})
        said = " ".join(logs.output)
        for reason in ("320x240 is too small", "is too short", "broken.mov: not a v"):
            self.assertIn(reason, said)
        with self.assertRaisesRegex(decoding.BadPictureError, "only 20 frames"):
            list(footage.frames(self.root / "short.mkv", 0.0))

    @pytest.mark.slow
    def test_clips_are_made_of_photographs_and_videos(self):
        photos, videos = self.root / "photos", self.root / "videos"
        photos.mkdir()
        name = next(
            f"p{i}.jpg"
            for i in range(9)
            if splits.hashed_split(f"p{i}.jpg", recipes.SPLIT) == "train"
        )
        _COFFEE.save(photos / name)
        _write(videos / "a.mp4", 48)
        self.assertEqual(splits.hashed_split("a.mp4", recipes.SPLIT), "train")
        out = self.root / "clips"
        held = preparing.prepare(photos, out, videos=videos, count=8)
        self.assertEqual(set(held.clips), {"train"})
        entries = shards.read(out, "000000-000007").entries
        moving = [e.recipe.scene["kind"] == "video" for e in entries]
        self.assertBetween(sum(moving), 2, 6)
        source = sources.create(f"clips:{out}", "train")
        differences = []
        for record in (source[4 * i] for i in range(len(entries)) if moving[i]):
            sharp, blurred = (
                np.asarray(Image.fromarray(record[role]).resize((40, 24)), float)
                for role in ("sharp", "blurred")
            )
            differences.append(np.abs(sharp - blurred).mean())
        # Pairs show the same frame, but some are heavily degraded.
        self.assertLess(np.median(differences), 4)
        with self.assertRaisesRegex(UserError, r"other videos \(such as a.mp4\)"):
            preparing.prepare(photos, out, count=8)
        (videos / "a.mp4").unlink()
        with self.assertRaisesRegex(UserError, "need .*a.mp4, which is missing"):
            sources.create(f"clips:{out}", "train")
        with self.assertRaisesRegex(UserError, "no videos of at least 480x288"):
            preparing.prepare(photos, self.root / "x", videos=videos, count=1)


if __name__ == "__main__":
    absltest.main()
