"""A real Firefox without a window, driven through Marionette, its own protocol."""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from absl.testing import absltest

PROGRAM = shutil.which("firefox-esr") or shutil.which("firefox")
WHY_NOT = "needs Firefox (apt-get install firefox-esr)"

# Videos play without a click, and there is a camera that plays a picture of its own.
_SETTINGS = {
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
}
_SECONDS = 60


class Firefox:
    """One window. What it is asked returns JSON; what it refuses raises."""

    def __init__(self, port: int):
        self._count = 0
        end = time.monotonic() + _SECONDS
        while True:
            try:
                self._socket = socket.create_connection(("127.0.0.1", port), _SECONDS)
                break
            except ConnectionRefusedError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
        self._answers = self._socket.makefile("rb")
        self._read()
        self._ask("WebDriver:NewSession")

    def open(self, address: str) -> None:
        """Loads a page."""
        self._ask("WebDriver:Navigate", url=address)

    def evaluate(self, script: str, *arguments: Any) -> Any:
        """What the body of a function in the page returns, or its promise."""
        return self._execute("content", script, arguments)

    def install(self, path: pathlib.Path) -> str:
        """Installs an extension until Firefox ends; its id."""
        asked = {"path": str(path), "temporary": True}
        return self._ask("Addon:Install", **asked)["value"]

    def click(self, extension: str) -> None:
        """Clicks the extension's button, which lets it into the page in front."""
        script = """
          const { ExtensionParent } = ChromeUtils.importESModule(
            "resource://gre/modules/ExtensionParent.sys.mjs");
          const { extension } = WebExtensionPolicy.getByID(arguments[0]);
          const window = Services.wm.getMostRecentWindow("navigator:browser");
          const { browserActionFor } = ExtensionParent.apiManager.global;
          return browserActionFor(extension).triggerAction(window);
        """
        self._execute("chrome", script, (extension,))

    def _execute(self, context: str, script: str, arguments: tuple) -> Any:
        self._ask("Marionette:SetContext", value=context)
        return self._ask(
            "WebDriver:ExecuteScript",
            script=f"return (async function () {{ {script} }}).apply(null, arguments)",
            args=list(arguments),
        )["value"]

    def _ask(self, name: str, **parameters: Any) -> Any:
        self._count += 1
        message = json.dumps([0, self._count, name, parameters]).encode()
        self._socket.sendall(f"{len(message)}:".encode() + message)
        _, _, error, result = self._read()
        if error:
            raise RuntimeError(f"{name}: {error['message']}")
        return result

    def _read(self) -> Any:
        length = b""
        while (byte := self._answers.read(1)) != b":":
            if not byte:
                raise ConnectionError("Firefox has ended")
            length += byte
        return json.loads(self._answers.read(int(length)))


@contextlib.contextmanager
def firefox() -> Iterator[Firefox]:
    """A Firefox with a profile of its own, as long as the context."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = _SETTINGS | {"marionette.port": port}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        lines = [
            f"user_pref({json.dumps(k)}, {json.dumps(v)});\n"
            for k, v in settings.items()
        ]
        pathlib.Path(profile, "user.js").write_text("".join(lines))
        command = [PROGRAM, "--headless", "--no-remote", "--profile", profile]
        command += ["--marionette", "--remote-allow-system-access"]
        with subprocess.Popen(
            command,
            env=os.environ | {"HOME": profile},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                yield Firefox(port)
            finally:
                process.kill()


class FirefoxTest(absltest.TestCase):
    """Opens pages of a Firefox that runs as long as the class."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not PROGRAM:
            cls.skipTest(cls, WHY_NOT)
        cls.firefox = cls.enterClassContext(firefox())

    def wait(self, script: str) -> Any:
        """What the script returns in the page once that is true."""
        end = time.monotonic() + _SECONDS
        while not (found := self.firefox.evaluate(script)):
            if time.monotonic() > end:
                self.fail(f"never true: {script}")
            time.sleep(0.1)
        return found
