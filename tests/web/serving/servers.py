"""`kdsharp serve` in a process of its own."""

import contextlib
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator

from tests import waiting

_ROOT = pathlib.Path(__file__).parents[3]


@contextlib.contextmanager
def serving(*arguments: object) -> Iterator[tuple[str, int, subprocess.Popen]]:
    """Yields its address, its port and its process."""
    command = [sys.executable, "-m", "kdsharp.cli", "serve", "--port", "0"]
    with subprocess.Popen(
        [*command, *map(str, arguments)],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        env={**os.environ, "XLA_FLAGS": ""},
    ) as process:
        try:
            line = process.stdout.readline().decode()
            port = int(re.search(r":(\d+)/", line)[1])
            yield f"http://127.0.0.1:{port}/", port, process
        finally:
            process.terminate()
            process.wait(waiting.PATIENCE)
            process.stdout.close()
