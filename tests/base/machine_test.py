"""Peak memory, whose unit differs between platforms."""

import resource
import sys
from pathlib import Path
from unittest import mock

import numpy as np
from absl.testing import absltest

from kdsharp.base import machine


class PeakMemoryTest(absltest.TestCase):
    def test_peak_memory_is_in_bytes(self):
        before = machine.peak_memory()
        held = np.ones(64 << 20, np.uint8)
        self.assertBetween(
            machine.peak_memory(), max(before, held.nbytes), before + 2 * held.nbytes
        )

    def test_unit_of_getrusage_depends_on_the_platform(self):
        usage = mock.Mock(ru_maxrss=5000)
        with (
            mock.patch.object(Path, "exists", return_value=False),
            mock.patch.object(resource, "getrusage", return_value=usage),
        ):
            with mock.patch.object(sys, "platform", "darwin"):
                self.assertEqual(machine.peak_memory(), 5000)
            with mock.patch.object(sys, "platform", "freebsd14"):
                self.assertEqual(machine.peak_memory(), 5000 * 1024)


if __name__ == "__main__":
    absltest.main()
