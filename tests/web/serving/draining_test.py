"""SIGTERM: requests in progress are finished and new ones refused."""

import concurrent.futures
import contextlib
import json
import signal
import socket
import time

import pytest
from absl.testing import absltest, parameterized

from kdsharp.base import optional
from tests import waiting
from tests.web.serving import asking, nginx, servers

_CAN = optional.installed("starlette", "uvicorn", "onnx")
_MODELS = ("--models", "rt-s-call", "dncnn17-bicubic2")


@contextlib.contextmanager
def _half_sent(port: int, body: bytes):
    """Yields a connection that still owes half of a picture."""
    with socket.create_connection(("127.0.0.1", port), waiting.PATIENCE) as client:
        head = "POST /api/sharpen HTTP/1.1\r\nHost: localhost\r\n"
        head += f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        client.sendall(head.encode() + body[: len(body) // 2])
        yield client


def _answer(client: socket.socket) -> tuple[int, bytes]:
    """Reads a response until the connection closes: its status and body."""
    head, _, body = client.makefile("rb").read().partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def _held(port: int) -> bool:
    """Whether the server has taken a part of a picture."""
    _, told = asking.ask(port, "/api/metrics")
    return b"\nkdsharp_held_bytes 0\n" not in told


@absltest.skipIf(not _CAN, "starlette, uvicorn and onnx are not installed")
class DrainingTest(parameterized.TestCase):
    @parameterized.parameters("server", "nginx")
    @pytest.mark.slow
    def test_a_request_in_progress_ends_and_new_ones_are_refused(self, door):
        if door == "nginx" and not nginx.PROGRAM:
            self.skipTest(nginx.WHY_NOT)
        body = asking.photograph()
        with contextlib.ExitStack() as stack:
            _, port, process = stack.enter_context(
                servers.serving(*_MODELS, "--drain", waiting.PATIENCE)
            )
            _, wanted = asking.ask(port, "/api/sharpen", body)
            asked = stack.enter_context(nginx.before(port)) if door == "nginx" else port
            client = stack.enter_context(_half_sent(asked, body))
            waiting.until(lambda: _held(port), "the half picture")
            process.send_signal(signal.SIGTERM)
            waiting.until(
                lambda: asking.ask(asked, "/healthz")[0].status == 503, "a refusal"
            )
            answer, content = asking.ask(asked, "/api/sharpen", body)
            self.assertEqual(answer.status, 503)
            self.assertGreater(int(answer.headers["Retry-After"]), 0)
            self.assertIn("is stopping", json.loads(content)["error"])
            self.assertIsNone(process.poll())
            client.sendall(body[len(body) // 2 :])
            status, sharp = _answer(client)
            self.assertEqual(status, 200)
            self.assertIn(wanted, sharp)
            self.assertEqual(process.wait(waiting.PATIENCE), 0)

    @pytest.mark.slow
    def test_pictures_in_progress_are_finished(self):
        with (
            servers.serving(*_MODELS) as (_, port, process),
            concurrent.futures.ThreadPoolExecutor(1) as pool,
        ):
            asked = pool.submit(
                asking.ask,
                port,
                "/api/sharpen?model=dncnn17-bicubic2",
                asking.photograph(300, 200),
            )
            waiting.until(
                lambda: b"\nkdsharp_waiting 1\n" in asking.ask(port, "/api/metrics")[1],
                "the picture to be at work",
                ended=asked.done,
            )
            process.send_signal(signal.SIGTERM)
            self.assertEqual(asked.result()[0].status, 200)
            self.assertEqual(process.wait(waiting.PATIENCE), 0)

    @pytest.mark.slow
    def test_requests_beyond_the_limit_are_refused(self):
        body = asking.photograph()
        with servers.serving(*_MODELS, "--drain", 0.5) as (_, port, process):
            with _half_sent(port, body) as client:
                waiting.until(lambda: _held(port), "the half picture")
                start = time.monotonic()
                process.send_signal(signal.SIGTERM)
                status, content = _answer(client)
                self.assertEqual(status, 503)
                self.assertIn("is stopping", json.loads(content)["error"])
                self.assertGreater(time.monotonic() - start, 0.5)
            self.assertEqual(process.wait(waiting.PATIENCE), 0)

    @pytest.mark.slow
    def test_an_idle_server_ends_at_once_whoever_is_connected(self):
        with (
            servers.serving(*_MODELS, "--drain", 1000) as (_, port, process),
            socket.create_connection(("127.0.0.1", port)) as idle,
        ):
            idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertStartsWith(idle.recv(1000), b"HTTP/1.1 200")
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(waiting.PATIENCE), 0)

    @pytest.mark.slow
    def test_ctrl_c_drains(self):
        with servers.serving(*_MODELS) as (_, _, process):
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(waiting.PATIENCE), 130)


if __name__ == "__main__":
    absltest.main()
