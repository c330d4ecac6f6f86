"""Requests to a local server, and a picture for them."""

import http.client
import io

from PIL import Image
from skimage import data

from tests import waiting


def photograph(width: int = 120, height: int = 90) -> bytes:
    """A photograph as PNG."""
    file = io.BytesIO()
    Image.fromarray(data.astronaut()).resize((width, height)).save(file, "PNG")
    return file.getvalue()


def ask(
    port: int, path: str, body: bytes | None = None, *, at: str = "127.0.0.1", **headers
) -> tuple[http.client.HTTPResponse, bytes]:
    """Sends a request; returns the response and its body."""
    connection = http.client.HTTPConnection(at, port, timeout=waiting.PATIENCE)
    try:
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET" if body is None else "POST", path, body, headers)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()
