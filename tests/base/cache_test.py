"""The location of the cache folder."""

import os
from pathlib import Path
from unittest import mock

from absl.testing import absltest, parameterized

from kdsharp.base.cache import cache_folder


class CacheFolderTest(parameterized.TestCase):
    @parameterized.parameters(
        ({"KDSHARP_CACHE": "/there"}, "/there"),
        ({"KDSHARP_CACHE": "~/there"}, "/home/ada/there"),
        ({"KDSHARP_CACHE": ""}, "/home/ada/.cache/kdsharp"),
        ({}, "/home/ada/.cache/kdsharp"),
    )
    def test_environment_variable_overrides_the_default(self, variables, folder):
        with mock.patch.dict(os.environ, {"HOME": "/home/ada", **variables}):
            if "KDSHARP_CACHE" not in variables:
                os.environ.pop("KDSHARP_CACHE", None)
            self.assertEqual(cache_folder(), Path(folder))


if __name__ == "__main__":
    absltest.main()
