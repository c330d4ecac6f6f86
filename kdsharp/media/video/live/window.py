"""A window of mpv's, with keys and a title."""

import contextlib
import json
import logging
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

logger = logging.getLogger(__name__)

_PROGRAM = "mpv"

# mpv sends these words to every client of its socket.
_WORD = "kdsharp"
KEYS = {"SPACE": "compare", "LEFT": "weaker", "RIGHT": "stronger"}
_CLOSING = ("q", "CLOSE_WIN")

_COMMAND = (
    *(_PROGRAM, "--no-config", "--no-terminal", "--profile=low-latency", "--untimed"),
    *("--no-osc", "--no-input-default-bindings", "--demuxer-lavf-format=nut"),
    # Without a GPU, mpv would refuse OpenGL and then hang in its output for X11.
    "--gpu-sw=yes",
)

# Seconds between attempts to connect.
_ATTEMPT = 0.05


def installed() -> bool:
    """Whether mpv can be started and controlled here."""
    return hasattr(socket, "AF_UNIX") and shutil.which(_PROGRAM) is not None


class Window:
    """Shows NUT from the standard input of `process`; calls `pressed` for keys.

    `pressed` is given a word of `KEYS`. Key q closes the window.
    """

    def __init__(self, title: str, pressed: Callable[[str], None]):
        self._pressed = pressed
        self._folder = tempfile.TemporaryDirectory()
        self._path = Path(self._folder.name) / "mpv"
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        command = [*_COMMAND, f"--input-ipc-server={self._path}", f"--title={title}"]
        self.process = subprocess.Popen(
            [*command, "-"], stdin=subprocess.PIPE, start_new_session=True
        )
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def set_title(self, title: str) -> None:
        """Sets the title, once the window is there."""
        self._send("set_property", "title", title)

    def close(self) -> None:
        """Removes what is left when the program has ended."""
        self._thread.join()
        self._folder.cleanup()

    def _send(self, *command: str) -> bool:
        with self._lock:
            if self._socket is None:
                return False
            try:
                self._socket.sendall(_line(*command))
            except OSError:
                return False
        return True

    def _listen(self) -> None:
        # mpv may close the first connection while it starts.
        while self.process.poll() is None:
            if connected := self._connected():
                with connected, contextlib.suppress(OSError):
                    self._serve(connected)
                self._socket = None
            time.sleep(_ATTEMPT)

    def _serve(self, connected: socket.socket) -> None:
        for key, word in KEYS.items():
            connected.sendall(_line("keybind", key, f"script-message {_WORD} {word}"))
        for key in _CLOSING:
            connected.sendall(_line("keybind", key, "quit"))
        # Who sees the title may press keys.
        self._socket = connected
        for line in connected.makefile():
            told = json.loads(line)
            words = told.get("args", [])
            if told.get("event") == "client-message" and words[:1] == [_WORD]:
                self._pressed(words[1])

    def _connected(self) -> socket.socket | None:
        made = socket.socket(socket.AF_UNIX)
        try:
            made.connect(str(self._path))
        except OSError:
            made.close()
            return None
        return made


def _line(*command: str) -> bytes:
    return json.dumps({"command": command}).encode() + b"\n"
