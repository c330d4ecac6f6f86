"""Peak memory, whose unit differs between platforms."""

import platform
import resource
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
from absl.testing import absltest

from kdsharp.base import machine


@absltest.skipIf(platform.libc_ver()[0] != "glibc", "the C library is not glibc")
class FreedMemoryTest(absltest.TestCase):
    def test_buffers_of_megabytes_go_back_to_the_system(self):
        program = (
            "import pathlib, re, sys\n"
            "from kdsharp.base import machine\n"
            "if sys.argv[1:]: machine.return_freed_memory()\n"
            "bytearray(30_000_000)\n"
            "held = [bytearray(b'x') * 8_000_000 for _ in range(20)]\n"
            "del held[:-1]\n"
            "status = pathlib.Path('/proc/self/status').read_text()\n"
            "print(re.search(r'VmRSS:\\s+(\\d+)', status)[1])\n"
        )
        kept, returned = (
            int(subprocess.check_output([sys.executable, "-c", program, *arguments]))
            for arguments in ((), ("return",))
        )
        self.assertLess(returned, kept - 100_000)


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
