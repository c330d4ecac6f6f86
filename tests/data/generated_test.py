"""Generated pictures are cached on disk, and rendered again if the file is bad."""

import os
import pathlib
import pickle
import subprocess
import sys
import tempfile
from unittest import mock

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from kdsharp.data import dead_leaves, generated
from kdsharp.errors import UserError
from tests import waiting

_ROOT = pathlib.Path(__file__).parents[2]
_COUNT = 40
_SIZE = 32
_PROGRAM = f"""
from kdsharp.data import generated
import hashlib
source = generated.DeadLeaves(count={_COUNT}, size={_SIZE}, seed=7)
print(hashlib.sha256(b"".join(r["sharp"].tobytes() for r in source)).hexdigest())
"""


class GeneratedTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.cache = pathlib.Path(folder) / "cache"
        self.environment = os.environ | {
            "KDSHARP_CACHE": str(self.cache),
            "PYTHONPATH": str(_ROOT),
        }
        self.enterContext(mock.patch.dict(os.environ, self.environment))

    def _create(self, **options):
        return generated.DeadLeaves(**{"count": 3, "size": _SIZE, "seed": 7} | options)

    @pytest.mark.slow
    def test_concurrent_programs_agree_and_leave_one_file(self):
        programs = [
            subprocess.Popen(
                [sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        printed = [
            program.communicate(timeout=waiting.PATIENCE)[0] for program in programs
        ]
        self.assertEqual([program.returncode for program in programs], [0, 0])
        self.assertEqual(printed[0], printed[1])
        self.assertLen(list(self.cache.iterdir()), 1)
        # Rendering in this process gives the same.
        pixels = np.load(next(self.cache.iterdir()))
        self.assertEqual(pixels.shape, (_COUNT, _SIZE, _SIZE, 3))
        for index in (0, 1, _COUNT - 1):
            alone = dead_leaves.render(index, size=_SIZE, seed=7)
            np.testing.assert_array_equal(pixels[index], alone)

    def test_cached_pictures_are_not_rendered_again(self):
        first = [record["sharp"].copy() for record in self._create()]
        with mock.patch.object(dead_leaves, "render", side_effect=AssertionError):
            again = [record["sharp"] for record in self._create()]
        np.testing.assert_array_equal(first, again)

    @parameterized.parameters(
        {"count": 4}, {"size": 64}, {"seed": 8}, {"version": dead_leaves.VERSION + 1}
    )
    def test_cache_file_depends_on_every_parameter(self, version=None, **options):
        before = self._create().path
        version = version or dead_leaves.VERSION
        with mock.patch.object(dead_leaves, "VERSION", version):
            after = self._create(**options).path
        self.assertNotEqual(before, after)
        self.assertTrue(before.exists() and after.exists())

    @parameterized.parameters(0, 60, 2000)
    def test_truncated_file_is_rendered_again(self, left):
        source = self._create()
        expected = [record["sharp"].copy() for record in source]
        path = source.path
        del source
        path.write_bytes(path.read_bytes()[:left])
        with self.assertLogs("kdsharp", "WARNING") as logs:
            repaired = [record["sharp"] for record in self._create()]
        self.assertIn(path.name, logs.output[0])
        np.testing.assert_array_equal(repaired, expected)

    def test_file_of_another_kind_is_rendered_again(self):
        path = self._create().path
        np.save(path, np.zeros((3, 5, 5, 3), np.uint8))
        with self.assertLogs("kdsharp", "WARNING"):
            self.assertEqual(self._create()[2]["sharp"].shape, (_SIZE, _SIZE, 3))

    def test_without_a_writable_cache_pictures_stay_in_memory(self):
        expected = [record["sharp"].copy() for record in self._create()]
        self.cache.rename(self.cache.with_name("away"))
        self.cache.write_text("a file where the folder should be")
        with self.assertLogs("kdsharp", "WARNING") as logs:
            source = self._create()
        self.assertIn("KDSHARP_CACHE", logs.output[-1])
        np.testing.assert_array_equal([r["sharp"] for r in source], expected)
        copy = pickle.loads(pickle.dumps(source))
        np.testing.assert_array_equal([r["sharp"] for r in copy], expected)

    def test_pickle_holds_no_pixels(self):
        source = self._create()
        self.assertLess(len(pickle.dumps(source)), 1000)
        copy = pickle.loads(pickle.dumps(source))
        np.testing.assert_array_equal(copy[1]["sharp"], source[1]["sharp"])

    @parameterized.parameters({"count": 0}, {"size": 15})
    def test_invalid_count_or_size_is_a_user_error(self, **options):
        with self.assertRaisesRegex(UserError, "at least 16 pixels"):
            self._create(**options)

    def test_an_index_beyond_the_last_ends_an_iteration(self):
        source = self._create()
        self.assertLen(list(source), 3)
        with self.assertRaises(IndexError):
            source[3]
        self.assertEqual(source[-1]["key"], source[2]["key"])


if __name__ == "__main__":
    absltest.main()
