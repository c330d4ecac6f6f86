"""What a server holds in memory while fifty clients at once take their time."""

import io
import pathlib
import re
import socket
import threading

import numpy as np
import pytest
from absl.testing import absltest
from PIL import Image

from kdsharp.base import optional
from tests import waiting
from tests.web.serving import asking, servers

pytestmark = pytest.mark.slow

_CLIENTS = 50
# Of these, with an answer that no socket takes as a whole.
_SLOW = 12
# Of the server below: four times its largest body, for answers.
_ANSWER_BYTES = 8_000_000


def _noise() -> bytes:
    """Returns a JPEG of which the PNG is larger than what a socket's buffers take."""
    noise = np.random.default_rng(0).integers(0, 256, (1100, 1600, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "JPEG", quality=75)
    return file.getvalue()


class Client:
    """Sends a picture and takes of the answer no more than its first line, for now."""

    def __init__(self, port: int, body: bytes):
        self._port = port
        self._body = body
        self.status = 0
        self.length = 0

    def ask(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._port))
        self._socket.settimeout(waiting.PATIENCE)
        head = (
            "POST /api/sharpen?strength=0&format=png HTTP/1.1\r\nHost: localhost\r\n"
            f"Connection: close\r\nContent-Length: {len(self._body)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + self._body)
        self._file = self._socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])

    def take(self) -> None:
        with self._socket, self._file:
            while (line := self._file.readline().strip()) != b"":
                if found := re.fullmatch(rb"content-length: (\d+)", line.lower()):
                    self.length = int(found[1])
            self.taken = len(self._file.read())


@absltest.skipIf(
    not optional.installed("starlette", "uvicorn", "onnx"),
    "starlette, uvicorn and onnx are not installed",
)
class MemoryTest(absltest.TestCase):
    def test_it_is_bounded_however_slowly_answers_are_taken(self):
        body = _noise()
        options = ("--models", "rt-s-call", "--waiting", _CLIENTS)
        options += ("--megabytes", 2, "--seconds", waiting.PATIENCE)
        with servers.serving(*options) as (_, port, process):
            words = "/api/sharpen?strength=0&format=png"
            answer, file = asking.ask(port, words, body)
            self.assertEqual(answer.status, 200)
            # What is held without a bound is far more than what may be.
            self.assertGreater(len(file), 5_000_000)
            before = _peak(process.pid)
            small = asking.photograph()
            clients = [
                Client(port, body if number < _SLOW else small)
                for number in range(_CLIENTS)
            ]
            threads = [threading.Thread(target=client.ask) for client in clients]
            for thread in threads:
                thread.start()
            waiting.until(
                lambda: _metric(port, "answer_bytes") > _ANSWER_BYTES,
                "answers that nobody takes",
            )
            held = _metric(port, "answer_bytes")
            self.assertLessEqual(held, _ANSWER_BYTES + 2 * len(file))
            # Whoever has an answer takes it; then others get theirs.
            taken = set()
            while len(taken) < _CLIENTS:
                waiting.until(
                    lambda: any(c.status and c not in taken for c in clients),
                    "an answer",
                )
                for client in clients:
                    if client.status and client not in taken:
                        client.take()
                        taken.add(client)
            for thread in threads:
                thread.join()
            self.assertEqual({client.status for client in clients}, {200})
            for client in clients:
                self.assertEqual(client.taken, client.length)
            for client in clients[:_SLOW]:
                self.assertEqual(client.length, len(file))
            self.assertEqual(_metric(port, "answer_bytes"), 0)
            grown = _peak(process.pid) - before
        # What is held, with a copy of each; unbounded, it would be all answers.
        self.assertLess(grown, _SLOW * len(file))


def _peak(pid: int) -> int:
    """The most bytes that a process ever had in memory."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", status)[1])


def _metric(port: int, name: str) -> int:
    _, text = asking.ask(port, "/api/metrics")
    return int(re.search(rf"^kdsharp_{name} (\d+)$", text.decode(), re.M)[1])


if __name__ == "__main__":
    absltest.main()
