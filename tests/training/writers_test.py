"""Writers of metrics, read back from their own formats."""

import json
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from absl.testing import absltest, parameterized
from tensorboard.backend.event_processing import event_accumulator

from kdsharp.base import optional
from kdsharp.data import sources
from kdsharp.errors import UserError
from kdsharp.training import loop, writers
from kdsharp.training.logs import MetricsLog, read_metrics
from tests import waiting
from tests.training import runs

_NEEDS_WANDB = absltest.skipUnless(
    optional.installed("wandb"), "wandb is not installed (extra 'wandb')"
)


def _wait_for_the_next_second() -> None:
    """W&B names the folder of a session by the second it began in."""
    following = int(time.time()) + 1
    waiting.until(lambda: time.time() >= following, "the next second")


def _records(file: Path) -> Iterator[bytes]:
    """Yields the records of a W&B file: LevelDB's log format after a 7-byte header."""
    data, at, parts = file.read_bytes(), 7, b""
    assert data.startswith(b":W&B")
    while at < len(data):
        if (room := 32768 - at % 32768) < 7:
            at += room
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # A full record, or the last part of one.
            yield parts
            parts = b""


class _Wandb:
    """The contents of the offline runs in a work folder, oldest first."""

    def __init__(self, workdir: Path):
        from wandb.proto import wandb_internal_pb2

        self.ids, self.lines, self.config = [], [], {}
        files = (workdir / "wandb").glob("offline-run-*/run-*.wandb")
        for file in sorted(files, key=lambda file: file.stat().st_mtime_ns):
            for data in _records(file):
                record = wandb_internal_pb2.Record.FromString(data)
                if record.HasField("run"):
                    self.ids.append(record.run.run_id)
                    self.config |= {
                        item.key: json.loads(item.value_json)
                        for item in record.run.config.update
                    }
                if record.HasField("history"):
                    line = {
                        item.key or "/".join(item.nested_key): json.loads(
                            item.value_json
                        )
                        for item in record.history.item
                    }
                    self.lines.append(
                        {k: v for k, v in line.items() if not k.startswith("_")}
                    )


@_NEEDS_WANDB
class WandbTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        import wandb

        self.folder = Path(self.create_tempdir().full_path)
        kept = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")}
        own = {
            "WANDB_MODE": "offline",
            "WANDB_SILENT": "true",
            "WANDB_CONSOLE": "off",
            "WANDB_ERROR_REPORTING": "false",
            "WANDB_CONFIG_DIR": str(self.folder / "config"),
            "WANDB_CACHE_DIR": str(self.folder / "cache"),
        }
        self.enter_context(mock.patch.dict(os.environ, kept | own, clear=True))
        wandb.teardown()  # Makes W&B read its environment again.
        self.addCleanup(wandb.teardown)

    @pytest.mark.slow
    def test_offline_run_gets_the_same_metrics(self):
        photographs = runs.write_photographs(self.folder / "photographs")
        config = runs.small_config(
            photographs, epochs=2, log_every=2, writers="tensorboard,wandb"
        )
        pictures = {
            split: sources.create(f"folder:{photographs}", split)
            for split in ("train", "valid")
        }
        workdir = self.folder / "run"
        workdir.mkdir()
        loop.Run(config, workdir, sources=pictures).train()

        lines = read_metrics(workdir)
        self.assertTrue(any("train/loss" in line for line in lines))
        self.assertTrue(any("valid/psnr" in line for line in lines))
        held = _Wandb(workdir)
        self.assertEqual(held.lines, lines)
        self.assertEqual(held.config["batch_size"], config.batch_size)

        events = event_accumulator.EventAccumulator(str(workdir / "tensorboard"))
        events.Reload()
        names = {name for line in lines for name in line} - {"step"}
        self.assertEqual(set(events.Tags()["scalars"]), names)
        for name in names:
            self.assertEqual(
                [(e.step, np.float32(e.value)) for e in events.Scalars(name)],
                [(li["step"], np.float32(li[name])) for li in held.lines if name in li],
            )

    def test_resumed_run_continues_the_wandb_run(self):
        for after, steps in ((0, (1, 2, 3)), (2, (3, 4))):
            log = MetricsLog(
                self.folder, after, writers.create("wandb", self.folder, after)
            )
            for step in steps:
                log.write(step, {"train/loss": step / 2})
            log.close()
            _wait_for_the_next_second()
        held = _Wandb(self.folder)
        self.assertLen(held.ids, 2)
        self.assertLen(set(held.ids), 1)
        self.assertEqual([line["step"] for line in held.lines], [1, 2, 3, 3, 4])
        self.assertFalse((self.folder / "tensorboard").exists())

    def test_wandb_error_is_a_user_error(self):
        import wandb

        error = wandb.errors.UsageError("no API key configured.\nUse wandb login")
        with (
            mock.patch.object(wandb, "init", side_effect=error),
            self.assertRaisesRegex(
                UserError, r"cannot start a run \(no API key configured\); WANDB_MODE="
            ),
        ):
            writers.create("wandb", self.folder, 0)


class NamesTest(parameterized.TestCase):
    def test_unknown_writer_is_a_user_error(self):
        with self.assertRaisesRegex(
            UserError, "^unknown writer 'wandbb'; choose one of: tensorboard, wandb$"
        ):
            writers.check("tensorboard,wandbb")

    def test_missing_wandb_is_reported_before_training(self):
        with (
            mock.patch.object(optional, "installed", return_value=False),
            self.assertRaisesRegex(UserError, r"needs wandb.*'kdsharp\[wandb\]'"),
        ):
            writers.check("wandb")

    def test_without_writers_only_the_file_is_written(self):
        folder = Path(self.create_tempdir().full_path)
        log = MetricsLog(folder, 0, writers.create("", folder, 0))
        log.write(1, {"train/loss": 0.5})
        log.close()
        self.assertEqual(read_metrics(folder), [{"step": 1, "train/loss": 0.5}])
        self.assertEqual([path.name for path in folder.iterdir()], ["metrics.jsonl"])


if __name__ == "__main__":
    absltest.main()
