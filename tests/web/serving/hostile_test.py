"""A thousand hostile uploads over loopback leave the server running."""

import asyncio
import contextlib
import http.client
import io
import pathlib
import random
import struct
import time
import zlib

import pytest
from absl.testing import absltest
from PIL import Image

from kdsharp.base import optional
from tests import waiting
from tests.web.serving import servers

pytestmark = pytest.mark.slow


_CAN = optional.installed("starlette", "uvicorn", "onnx")
_COUNT = 1000
_AT_ONCE = 60
_SECONDS = 2


def _png(width: int, height: int, rows: bytes) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        sum_ = zlib.crc32(name + content)
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", sum_)
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(rows, 9)
    start = b"\x89PNG\r\n\x1a\n"
    return start + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def _file(format_: str, **options) -> bytes:
    file = io.BytesIO()
    Image.effect_noise((200, 150), 60).convert("RGB").save(file, format_, **options)
    return file.getvalue()


class Attacks:
    """Each method returns a request, and the expected status if it is certain."""

    def __init__(self):
        self._random = random.Random(0)
        self._whole = [_file(format_) for format_ in ("JPEG", "PNG", "WEBP")]
        bomb = zlib.compress(bytes(50_000_000), 9)
        self._bodies = {
            "claims much": _png(60_000, 60_000, b"\0"),
            "unpacks to much": _png(100, 100, bytes(50_000_000)),
            "is all one text": self._with_text(bomb),
            "has no pixels": _png(0, 0, b""),
            "is a gif": _file("GIF"),
            "is a tiff": _file("TIFF"),
            "is a text": b"<svg onload=alert(1)>" * 50,
            "is nothing": b"",
            "is a zip": b"PK\3\4" + bytes(1000),
            "moves": self._moving(),
        }

    def _with_text(self, packed: bytes) -> bytes:
        png = self._whole[1]
        content = b"Comment\0\0" + packed
        chunk = b"zTXt" + content
        length = struct.pack(">I", len(content))
        sum_ = struct.pack(">I", zlib.crc32(chunk))
        return png[:33] + length + chunk + sum_ + png[33:]

    def _moving(self) -> bytes:
        frames = [Image.new("RGB", (40, 40), (n, 0, 0)) for n in range(5)]
        file = io.BytesIO()
        frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:])
        return file.getvalue()

    def _broken(self) -> bytes:
        body = bytearray(self._random.choice(self._whole))
        for _ in range(20):
            body[self._random.randrange(20, len(body))] = self._random.randrange(256)
        return bytes(body)

    def _cut(self) -> bytes:
        body = self._random.choice(self._whole)
        return body[: self._random.randrange(1, len(body))]

    def draw(self) -> tuple[str, bytes]:
        """Draws a random attack: how to send it, and its body."""
        body = self._random.choice([self._broken, self._cut, self._known])()
        # Slow ones hold a connection for seconds: they are fewer.
        ways = {"whole": 60, "lies of its length": 5, "leaves": 10, "chunked": 10}
        ways |= {"endless": 3, "slow": 4, "slow to ask": 3, "garbage": 5}
        return self._random.choices(list(ways), list(ways.values()))[0], body

    def _known(self) -> bytes:
        return self._random.choice(list(self._bodies.values()))


async def _send(port: int, way: str, body: bytes) -> int:
    """Sends an attack; returns the status, or 0 without a response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    ask = b"POST /api/sharpen HTTP/1.1\r\nHost: localhost\r\n"
    try:
        if way == "garbage":
            writer.write(b"\x16\x03\x01" + body[:500] + b"\r\n\r\n")
        elif way == "slow to ask":
            for byte in ask[:40]:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.2)
        elif way in ("chunked", "endless"):
            writer.write(ask + b"Transfer-Encoding: chunked\r\n\r\n")
            for _ in range(1 if way == "chunked" else 200):
                part = body[:1000] if way == "chunked" else bytes(100_000)
                writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                await writer.drain()
            if way == "chunked":
                writer.write(b"0\r\n\r\n" if body[:1000] else b"\r\n")
        else:
            length = len(body) + (10**9 if way == "lies of its length" else 0)
            writer.write(ask + f"Content-Length: {length}\r\n\r\n".encode())
            if way == "slow":
                for at in range(min(len(body), 60)):
                    writer.write(body[at : at + 1])
                    with contextlib.suppress(TimeoutError):
                        return _status(await asyncio.wait_for(reader.readline(), 0.2))
            else:
                writer.write(body[: len(body) // 2] if way == "leaves" else body)
            if way == "leaves":
                return 0
        await writer.drain()
        return _status(await asyncio.wait_for(reader.readline(), waiting.PATIENCE))
    except (ConnectionError, IndexError):
        return 0
    finally:
        writer.close()


def _status(line: bytes) -> int:
    return int(line.split()[1]) if line else 0


@absltest.skipIf(not _CAN, "starlette, uvicorn and onnx are not installed")
class HostileTest(absltest.TestCase):
    def test_survives_1000_hostile_uploads(self):
        limits = ["--megabytes", 4, "--megapixels", 2, "--seconds", _SECONDS]
        # Most of them shall come as far as to be decoded.
        limits += ["--waiting", _AT_ONCE]
        with servers.serving("--models", "rt-s-call", *limits) as (_, port, process):
            self._good(port)
            before = _memory(process.pid)
            start = time.monotonic()
            statuses = asyncio.run(self._attack(port))
            self.assertLess(time.monotonic() - start, 120)
            self.assertIsNone(process.poll())
            # Some of the broken ones show a picture; no fault is the server's own.
            self.assertLessEqual(set(statuses), {0, 200, 400, 408, 413, 415, 422, 503})
            self.assertContainsSubset({400, 408, 413, 415, 422}, statuses)
            self._good(port)
            self.assertLess(_memory(process.pid) - before, 300e6)
            connection = http.client.HTTPConnection(
                "127.0.0.1", port, timeout=waiting.PATIENCE
            )
            connection.request("GET", "/api/metrics")
            told = connection.getresponse().read().decode()
            self.assertRegex(told, "(?m)^kdsharp_waiting 0$")
            self.assertRegex(told, "(?m)^kdsharp_held_bytes 0$")
            connection.close()

    async def _attack(self, port: int) -> list[int]:
        attacks, free = Attacks(), asyncio.Semaphore(_AT_ONCE)

        async def one(way: str, body: bytes) -> int:
            async with free:
                return await _send(port, way, body)

        drawn = [attacks.draw() for _ in range(_COUNT)]
        return await asyncio.gather(*(one(*attack) for attack in drawn))

    def _good(self, port: int) -> None:
        connection = http.client.HTTPConnection(
            "127.0.0.1", port, timeout=waiting.PATIENCE
        )
        for _ in range(20):
            connection.request("POST", "/api/sharpen", _file("PNG"))
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 503:
                break
            time.sleep(int(answer.headers["Retry-After"]))
        self.assertEqual(answer.status, 200)
        self.assertEqual(Image.open(io.BytesIO(content)).size, (200, 150))
        connection.close()


def _memory(pid: int) -> int:
    """The memory of a process in bytes."""
    pages = pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * 4096


if __name__ == "__main__":
    absltest.main()
