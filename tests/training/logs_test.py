"""Metrics of a run: `metrics.jsonl` after a kill, and TensorBoard's events."""

import json
from pathlib import Path

from absl.testing import absltest
from tensorboard.backend.event_processing import event_accumulator

from kdsharp.training import writers
from kdsharp.training.logs import METRICS_FILE, MetricsLog, read_metrics


class MetricsLogTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(self.create_tempdir().full_path)

    def _write(self, after: int, *steps: int, factor: float = 0.5) -> None:
        log = MetricsLog(
            self.folder, after, writers.create("tensorboard", self.folder, after)
        )
        for step in steps:
            log.write(step, {"train/loss": step * factor})
        log.close()

    def test_tensorboard_reads_the_events(self):
        self._write(0, 1, 2, 3)
        events = event_accumulator.EventAccumulator(str(self.folder / "tensorboard"))
        events.Reload()
        self.assertEqual(
            [(e.step, e.value) for e in events.Scalars("train/loss")],
            [(1, 0.5), (2, 1.0), (3, 1.5)],
        )

    def test_resumed_run_discards_later_steps(self):
        self._write(0, 1, 2, 3, 4)
        self._write(2, 3, 4, 5, factor=2.0)
        self.assertEqual(
            [(r["step"], r["train/loss"]) for r in read_metrics(self.folder)],
            [(1, 0.5), (2, 1.0), (3, 6.0), (4, 8.0), (5, 10.0)],
        )
        events = event_accumulator.EventAccumulator(str(self.folder / "tensorboard"))
        events.Reload()
        self.assertEqual(
            [(e.step, e.value) for e in events.Scalars("train/loss")],
            [(1, 0.5), (2, 1.0), (3, 6.0), (4, 8.0), (5, 10.0)],
        )

    def test_truncated_line_is_ignored(self):
        self._write(0, 1, 2)
        with (self.folder / METRICS_FILE).open("a") as file:
            file.write('{"step": 3, "train/lo')
        self.assertLen(read_metrics(self.folder), 2)
        self._write(2, 3)
        lines = (self.folder / METRICS_FILE).read_text().splitlines()
        self.assertEqual([json.loads(line)["step"] for line in lines], [1, 2, 3])


if __name__ == "__main__":
    absltest.main()
