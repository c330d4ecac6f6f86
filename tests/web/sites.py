"""A site as `kdsharp web build` writes it, once for all tests of a process."""

import atexit
import functools
import pathlib
import shutil
import tempfile

from tests.cli.running import run

STUDENT, RGB = "rt-s-codec", "dncnn8-call"
# A student and what taught it, which is of another blur than those.
TAUGHT, TEACHER = "rt-s-bicubic2", "rt-xl-bicubic2"


@functools.cache
def built() -> pathlib.Path:
    """Returns its folder."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    site = pathlib.Path(folder) / "site"
    names = (STUDENT, RGB, TAUGHT, TEACHER)
    status, _, complaints = run("web", "build", site, "--models", *names)
    if status:
        raise AssertionError(complaints)
    return site
