"""Atomic writes: files are complete or absent."""

import os
from pathlib import Path
from unittest import mock

from absl.testing import absltest

from kdsharp.base import atomic_files


class AtomicFilesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(self.create_tempdir())
        self.path = self.folder / "below" / "note.txt"

    def test_file_appears_only_when_the_block_ends(self):
        with atomic_files.atomic_write(self.path) as unfinished:
            unfinished.write_text("half")
            self.assertFalse(self.path.exists())
            self.assertEqual(unfinished.suffix, ".txt")
        self.assertEqual(self.path.read_text(), "half")
        self.assertEqual([p.name for p in self.path.parent.iterdir()], ["note.txt"])

    def test_durable_files_are_flushed_before_and_after_the_move(self):
        flushed, flush = [], os.fsync

        def noted(descriptor):
            flushed.append((os.fstat(descriptor).st_ino, self.path.exists()))
            flush(descriptor)

        with mock.patch.object(os, "fsync", noted):
            atomic_files.write_text(self.path, "whole", durable=True)
        file, folder = self.path.stat().st_ino, self.path.parent.stat().st_ino
        self.assertEqual(flushed, [(file, False), (folder, True)])

    def test_failure_keeps_the_previous_file(self):
        atomic_files.write_text(self.path, "before")
        with (
            self.assertRaises(ZeroDivisionError),
            atomic_files.atomic_write(self.path) as unfinished,
        ):
            unfinished.write_text("after")
            _ = 1 / 0
        self.assertEqual(self.path.read_text(), "before")
        self.assertEqual([p.name for p in self.path.parent.iterdir()], ["note.txt"])


if __name__ == "__main__":
    absltest.main()
