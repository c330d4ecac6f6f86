"""Scoring cells: once each, clip by clip, and kept after failures."""

from pathlib import Path

import numpy as np
import skimage.data
from absl.testing import absltest

from kdsharp.data.clips import codecs
from kdsharp.evaluation.calls import clips, judging, ladder
from kdsharp.evaluation.calls.clips import Window
from kdsharp.evaluation.calls.store import Store


class _FirstFrame:
    """A restorer that repeats the first frame, like a network with a memory."""

    name = identity = "first frame"
    parameters = None

    def __init__(self, fails_at: str = ""):
        self.clips = []
        self._fails_at = fails_at

    def __call__(self, frames):
        memory = None
        for number, frame in enumerate(frames):
            self.clips += [frame.width] if not number else []
            if f"{frame.width}" == self._fails_at:
                raise RuntimeError("as asked")
            memory = codecs.luma(frame) if memory is None else memory
            yield memory


class JudgingTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.store = Store(Path(self.create_tempdir().full_path))
        picture = skimage.data.coffee()[100:196, 100:260]
        frames = [np.roll(picture, 2 * number, axis=1) for number in range(16)]
        # Clips with different widths.
        found = [
            clips.LadderClip(
                f"{width}",
                clips.PAN,
                (width, 96),
                f"{width}",
                lambda width=width: [frame[:, :width] for frame in frames],
            )
            for width in (64, 96, 128)
        ]
        asked = ladder.Ladder(
            ("sharp",), (300,), ("h264",), window=Window((128, 96), 16)
        )
        self.groups = asked.groups(found)
        self.cells = [cell for group in self.groups for cell in group]

    def _judge(self, restorer) -> int:
        counted = []
        judging.judge(
            self.groups,
            [restorer],
            self.store,
            with_vmaf=False,
            threads=1,
            left_out={},
            done=counted.append,
        )
        return sum(counted)

    def test_restorers_get_every_clip_completely_and_once(self):
        restorer = _FirstFrame()
        self.assertEqual(self._judge(restorer), 3)
        self.assertEqual(restorer.clips, [64, 96, 128])
        before = [self.store.rows(cell) for cell in self.cells]
        self.assertEqual(self._judge(restorer), 3)
        self.assertEqual(restorer.clips, [64, 96, 128])
        # If frames stand still while the truth moves, the flicker is that of the truth.
        for cell, rows in zip(self.cells, before, strict=True):
            self.assertEqual(self.store.rows(cell), rows)
            true = ladder.true_luma(cell.clip.load(), cell.clip.size)[5:].astype(float)
            change = np.abs(np.diff(np.clip(true, 16, 235), axis=0)).mean() * 255 / 219
            self.assertAlmostEqual(rows["first frame"]["flicker"], change, places=3)

    def test_scores_from_before_a_failure_are_kept(self):
        failing = _FirstFrame(fails_at="96")
        with self.assertRaisesRegex(RuntimeError, "as asked"):
            self._judge(failing)
        done = [cell for cell in self.cells if self.store.rows(cell)]
        self.assertIn(self.cells[0], done)
        self.assertNotIn(self.cells[1], done)
        restorer = _FirstFrame()
        self._judge(restorer)
        self.assertEqual(
            restorer.clips, [c.clip.size[0] for c in self.cells if c not in done]
        )


if __name__ == "__main__":
    absltest.main()
