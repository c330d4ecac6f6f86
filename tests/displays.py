"""X servers without a screen, each with a display of its own."""

import contextlib
import subprocess
from collections.abc import Iterator


@contextlib.contextmanager
def hidden() -> Iterator[dict[str, str]]:
    """Starts Xvfb, which picks a free display; yields the variable that names it.

    `xvfb-run -a` looks for a free one by itself, and two at the same time may take one.
    """
    with subprocess.Popen(
        ["Xvfb", "-displayfd", "1", "-screen", "0", "640x480x24"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            yield {"DISPLAY": f":{server.stdout.readline().strip()}"}
        finally:
            server.terminate()
