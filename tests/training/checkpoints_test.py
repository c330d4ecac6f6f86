"""Checkpoints: saving, restoring, and every kind of damage."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from absl.testing import parameterized

from kdsharp.errors import UserError
from kdsharp.training.checkpoints import Checkpoints
from tests.training import runs


def _tree(step: int) -> dict:
    rng = np.random.default_rng(step)
    return {"params": {"kernel": rng.normal(size=(64, 64)).astype(np.float32)}}


def _largest_file(folder: Path) -> Path:
    files = (path for path in folder.rglob("*") if path.is_file())
    return max(files, key=lambda path: path.stat().st_size)


def _truncate(checkpoint: Path) -> None:
    file = _largest_file(checkpoint / "state")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _flip_a_bit(checkpoint: Path) -> None:
    file = _largest_file(checkpoint / "state")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def _empty(checkpoint: Path) -> None:
    for file in (checkpoint / "state").rglob("*"):
        if file.is_file():
            file.unlink()


def _other_numbers(checkpoint: Path) -> None:
    """Replaces the checkpoint by a valid one with other values."""
    progress = checkpoint / "progress" / "metadata"
    content = json.loads(progress.read_text())
    content["checksum"] ^= 1
    progress.write_text(json.dumps(content))


_DAMAGES = {
    "truncated": _truncate,
    "one_bit": _flip_a_bit,
    "emptied": _empty,
    "other_numbers": _other_numbers,
}


# Run in a subprocess whose file size is limited after the first checkpoint.
_FILL_THE_DISK = """
import pathlib, resource, sys
from kdsharp.base import terminal
from kdsharp.training.checkpoints import Checkpoints
from tests.training import checkpoints_test

terminal.configure_logging()
held = Checkpoints(pathlib.Path(sys.argv[1]))
held.save(1, checkpoints_test._tree(1), {})
held.wait()
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, hard))
try:
    held.save(2, checkpoints_test._tree(2), {})
    held.wait()
except OSError as error:
    print(error)
"""


class CheckpointsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(self.create_tempdir().full_path)

    @pytest.mark.slow
    def test_full_disk_is_a_short_error_and_keeps_earlier_checkpoints(self):
        finished = runs.run([sys.executable, "-c", _FILL_THE_DISK, str(self.folder)])
        self.assertEqual(
            (finished.returncode, finished.stdout, finished.stderr),
            (
                0,
                f"cannot write a checkpoint to {self.folder / 'latest'} "
                "(File too large)\n",
                "",
            ),
        )
        held = Checkpoints(self.folder)
        restored = held.restore(_tree(0))
        self.assertEqual(restored.step, 1)
        held.save(2, _tree(2), {})
        held.close()
        self.assertEqual(Checkpoints(self.folder).restore(_tree(0)).step, 2)

    def _saved(self, *steps: int) -> None:
        checkpoints = Checkpoints(self.folder)
        for step in steps:
            checkpoints.save(step, _tree(step), {"window": [step]})
        checkpoints.close()

    def _restored(self):
        checkpoints = Checkpoints(self.folder)
        restored = checkpoints.restore(_tree(0))
        checkpoints.close()
        return restored

    def test_restoring_without_checkpoints_gives_none(self):
        self.assertIsNone(self._restored())

    def test_newest_checkpoint_is_restored_bit_identical(self):
        self._saved(10, 20)
        restored = self._restored()
        self.assertEqual(restored.step, 20)
        self.assertEqual(restored.progress, {"window": [20]})
        np.testing.assert_array_equal(
            restored.tree["params"]["kernel"], _tree(20)["params"]["kernel"]
        )

    @parameterized.named_parameters(*((n, d) for n, d in _DAMAGES.items()))
    def test_damaged_checkpoint_falls_back_with_a_warning(self, damage):
        self._saved(10, 20)
        damage(self.folder / "latest" / "20")
        with self.assertLogs("kdsharp", "WARNING") as logs:
            restored = self._restored()
        self.assertEqual(restored.step, 10)
        np.testing.assert_array_equal(
            restored.tree["params"]["kernel"], _tree(10)["params"]["kernel"]
        )
        self.assertLen(logs.output, 1)
        self.assertRegex(logs.output[0], r"latest/20 is damaged \(.*\): set aside")
        self.assertTrue((self.folder / "damaged" / "latest-20").is_dir())

    def test_step_can_be_saved_again_after_a_fallback(self):
        self._saved(10, 20)
        _truncate(self.folder / "latest" / "20")
        checkpoints = Checkpoints(self.folder)
        with self.assertLogs("kdsharp", "WARNING"):
            checkpoints.restore(_tree(0))
        checkpoints.save(20, _tree(21), {})
        checkpoints.close()
        np.testing.assert_array_equal(
            self._restored().tree["params"]["kernel"], _tree(21)["params"]["kernel"]
        )

    def test_only_damaged_checkpoints_are_an_error_and_are_kept(self):
        self._saved(10, 20)
        for step in ("10", "20"):
            _truncate(self.folder / "latest" / step)
        with (
            self.assertLogs("kdsharp", "WARNING"),
            self.assertRaisesRegex(UserError, "every checkpoint in .* is damaged"),
        ):
            self._restored()
        self.assertLen(list((self.folder / "damaged").iterdir()), 2)

    def test_old_checkpoints_are_deleted(self):
        self._saved(*range(1, 9))
        kept = {p.name for p in (self.folder / "latest").iterdir() if p.name.isdigit()}
        self.assertEqual(kept, {"6", "7", "8"})

    def test_best_checkpoint_after_the_restored_step_is_deleted(self):
        checkpoints = Checkpoints(self.folder)
        checkpoints.save_best(10, _tree(10), {})
        checkpoints.save(10, _tree(10), {})
        checkpoints.save_best(20, _tree(20), {})  # Killed before the latest of 20.
        checkpoints.close()
        checkpoints = Checkpoints(self.folder)
        self.assertEqual(checkpoints.restore(_tree(0)).step, 10)
        self.assertEqual(checkpoints.restore_best(_tree(0)).step, 10)
        checkpoints.close()
