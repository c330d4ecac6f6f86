"""File locks between processes."""

import subprocess
import sys
from pathlib import Path

from absl.testing import absltest

from kdsharp.base import locks

_HOLD = """
import sys
from pathlib import Path
from kdsharp.base import locks
with locks.exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


class LocksTest(absltest.TestCase):
    def test_lock_is_exclusive_until_its_holder_ends(self):
        path = Path(self.create_tempdir()) / "lock"
        holder = subprocess.Popen(
            [sys.executable, "-c", _HOLD, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with holder:
            self.assertEqual(holder.stdout.readline(), "held\n")
            with self.assertRaises(locks.LockedError), locks.exclusive(path):
                pass
            holder.kill()
            holder.wait()
        with locks.exclusive(path):
            self.assertTrue(path.exists())


if __name__ == "__main__":
    absltest.main()
