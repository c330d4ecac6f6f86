"""The CPU cores that a process may use."""

import os
from unittest import mock

from absl.testing import absltest

from kdsharp.base import cores


class CoresTest(absltest.TestCase):
    def test_cpu_affinity_is_respected(self):
        if not hasattr(os, "sched_setaffinity"):
            self.skipTest("this system does not limit processes to cores")
        before = os.sched_getaffinity(0)
        try:
            os.sched_setaffinity(0, {max(before)})
            self.assertEqual(cores.available(), [max(before)])
            self.assertEqual(cores.count(), 1)
        finally:
            os.sched_setaffinity(0, before)

    def test_all_cores_where_affinity_is_unavailable(self):
        with mock.patch.object(os, "cpu_count", return_value=6):
            with mock.patch.object(os, "sched_getaffinity", create=True):
                del os.sched_getaffinity
                self.assertEqual(cores.available(), [0, 1, 2, 3, 4, 5])
            with mock.patch.object(os, "sched_getaffinity", create=True):
                del os.sched_getaffinity
                os.cpu_count.return_value = None
                self.assertEqual(cores.count(), 1)


if __name__ == "__main__":
    absltest.main()
