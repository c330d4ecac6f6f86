"""A real WebKit (WebKitGTK's MiniBrowser) on a display of its own, by WebDriver."""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

from tests import displays, waiting

DRIVER = shutil.which("WebKitWebDriver")
_BROWSERS = sorted(pathlib.Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser"))
PROGRAM = _BROWSERS[-1] if DRIVER and _BROWSERS and shutil.which("Xvfb") else None
WHY_NOT = "needs WebKitGTK and Xvfb (apt-get install webkit2gtk-driver xvfb)"


class WebKit:
    """One window. What it is asked returns JSON; what it refuses raises."""

    def __init__(self, port: int, arguments: tuple[str, ...]):
        self._address = f"http://127.0.0.1:{port}/session"
        options = {"binary": str(PROGRAM), "args": ["--automation", *arguments]}
        wish = {"alwaysMatch": {"webkitgtk:browserOptions": options}}
        begun = self._ask("POST", "", {"capabilities": wish})
        self._address += f"/{begun['sessionId']}"
        # In milliseconds, and so that a script's own failure is told before.
        self._ask("POST", "/timeouts", {"script": 1000 * waiting.PATIENCE})

    def open(self, address: str) -> None:
        """Loads a page."""
        self._ask("POST", "/url", {"url": address})

    def evaluate(self, script: str, *arguments: Any) -> Any:
        """What the body of a function in the page returns, or its promise."""
        whole = f"""
          const done = arguments[arguments.length - 1];
          (async function () {{ {script} }}).apply(null, arguments).then(
            (value) => done({{ value }}), (error) => done({{ error: String(error) }}));
        """
        wish = {"script": whole, "args": list(arguments)}
        found = self._ask("POST", "/execute/async", wish)
        if "error" in found:
            raise RuntimeError(found["error"])
        return found.get("value")

    def close(self) -> None:
        """Ends the browser."""
        self._ask("DELETE", "")

    def _ask(self, method: str, path: str, body: dict | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(self._address + path, data, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=waiting.PATIENCE + 30) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()) from error


@contextlib.contextmanager
def webkit(*arguments: str) -> Iterator[WebKit]:
    """A WebKit with a home of its own, as long as the context."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home,
        displays.hidden() as display,
    ):
        # Its sandbox needs rights that tests may lack; it opens their own pages alone.
        settings = {"HOME": home, "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1"}
        with subprocess.Popen(
            [DRIVER, f"--port={port}"],
            env=os.environ | display | settings,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                waiting.until(
                    lambda: _listens(port),
                    "WebKit's driver",
                    ended=lambda: process.poll() is not None,
                )
                found = WebKit(port, arguments)
                try:
                    yield found
                finally:
                    found.close()
            finally:
                process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
