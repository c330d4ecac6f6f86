"""Packages of npm, unpacked for a test and not kept."""

import atexit
import functools
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import unittest

from tests import waiting


@functools.cache
def package(name: str) -> pathlib.Path:
    """Downloads the npm package NAME@VERSION; skips the test without network access."""
    if not shutil.which("npm"):
        raise unittest.SkipTest("needs npm (apt-get install npm)")
    folder = pathlib.Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    done = subprocess.run(
        ["npm", "pack", "--silent", name],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=waiting.PATIENCE,
    )
    if done.returncode:
        raise unittest.SkipTest(f"npm could not download {name}: {done.stderr.strip()}")
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder / "package"
