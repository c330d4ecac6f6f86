"""Video encoders do not change scheduling priorities."""

import os
import subprocess
import sys
import unittest
from pathlib import Path

from absl.testing import absltest

_ROOT = Path(__file__).parents[2]

# Encodes AV1 as for training clips, then prints the policies of all threads.
_ENCODE = """
import os
import numpy as np
from kdsharp.data.clips import codecs

frames = [np.full((64, 96, 3), 40 * n, np.uint8) for n in range(4)]
codecs.encode(frames, "av1", codecs.Rate(bits=50_000), size=(96, 64))
threads = {os.sched_getscheduler(int(task)) for task in os.listdir("/proc/self/task")}
print(*threads, os.sched_getscheduler(0))
"""


@unittest.skipUnless(
    sys.platform == "linux" and os.geteuid() == 0,
    "only root can set real-time priority",
)
class PrioritiesTest(absltest.TestCase):
    def test_encoding_leaves_no_thread_in_real_time(self):
        ended = subprocess.run(
            [sys.executable, "-c", _ENCODE],
            env=os.environ | {"PYTHONPATH": str(_ROOT)},
            capture_output=True,
            text=True,
        )
        self.assertEqual(set(ended.stdout.split()), {str(os.SCHED_OTHER)}, ended.stderr)


if __name__ == "__main__":
    absltest.main()
