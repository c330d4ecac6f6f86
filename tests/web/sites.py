"""A site as `kdsharp web build` writes it, once for all tests of a process."""

import atexit
import functools
import pathlib
import shutil
import tempfile

from tests.cli.running import run

STUDENT, RGB = "rt-s-codec", "dncnn8-call"


@functools.cache
def built() -> pathlib.Path:
    """Returns its folder."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    site = pathlib.Path(folder) / "site"
    status, _, complaints = run("web", "build", site, "--models", STUDENT, RGB)
    if status:
        raise AssertionError(complaints)
    return site
