"""The HTTP API: results, refusals and the queue."""

import concurrent.futures
import http.client
import io
import json

import numpy as np
import pytest
from absl.testing import absltest, parameterized
from PIL import Image
from skimage import data

import kdsharp
from kdsharp.base import optional
from tests import waiting
from tests.cli.running import run
from tests.web.serving import servers

_CAN = optional.installed("starlette", "uvicorn", "onnx")


def _file(format_: str, width: int = 120, height: int = 90, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(data.astronaut()).resize((width, height)).save(
        file, format_, **options
    )
    return file.getvalue()


def _form(*parts: tuple[str, str | None, bytes]) -> tuple[bytes, str]:
    """A form as sent by curl, and its media type."""
    mark, body = "------------------------d74496d66958873e", b""
    for name, file, content in parts:
        told = f'form-data; name="{name}"' + (f'; filename="{file}"' if file else "")
        kind = "Content-Type: image/png\r\n" if file else ""
        head = f"--{mark}\r\nContent-Disposition: {told}\r\n{kind}\r\n"
        body += head.encode() + content + b"\r\n"
    return body + f"--{mark}--\r\n".encode(), f"multipart/form-data; boundary={mark}"


@absltest.skipIf(not _CAN, "starlette, uvicorn and onnx are not installed")
class ApiTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.address, cls.port, cls.process = cls.enterClassContext(
            servers.serving(
                *("--models", "rt-s-call", "dncnn17-bicubic2"),
                *(
                    "--megapixels",
                    0.5,
                    "--megabytes",
                    2,
                    "--waiting",
                    2,
                    "--seconds",
                    20,
                ),
            )
        )

    def _ask(self, path: str, body: bytes | None = None, **headers):
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=waiting.PATIENCE
        )
        method = "GET" if body is None else "POST"
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer, content

    def _sharpen(self, body: bytes, words: str = "", **headers):
        return self._ask(f"/api/sharpen?{words}", body, **headers)

    @parameterized.parameters("JPEG", "PNG", "WEBP")
    def test_sharpens_into_the_same_format(self, format_):
        body = _file(format_)
        answer, content = self._sharpen(body, "strength=0.7")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers["Content-Type"], f"image/{format_.lower()}")
        with Image.open(io.BytesIO(content)) as image:
            self.assertEqual(image.format, format_)
            found = np.asarray(image)
        given = np.asarray(Image.open(io.BytesIO(body)))
        wanted = kdsharp.load("rt-s-call")(given, strength=0.7)
        apart = np.abs(found.astype(int) - wanted)
        self.assertLessEqual(apart.mean(), 0 if format_ == "PNG" else 3)

    def test_accepts_forms(self):
        body = _file("PNG")
        form, kind = _form(("note", None, b"no file"), ("file", "photo.png", body))
        answer, content = self._sharpen(form, **{"Content-Type": kind})
        self.assertEqual(answer.status, 200)
        self.assertEqual(content, self._sharpen(body)[1])

    @parameterized.parameters(0, 2)
    def test_forms_must_contain_one_file(self, number):
        files = [("file", "photo.png", _file("PNG"))] * number
        form, kind = _form(("note", None, b"no file"), *files)
        answer, content = self._sharpen(form, **{"Content-Type": kind})
        self.assertEqual(answer.status, 400)
        self.assertEqual(
            json.loads(content)["error"],
            f"a form must contain one file, not {number}",
        )

    def test_a_form_without_boundary_is_refused(self):
        answer, _ = self._sharpen(b"x", **{"Content-Type": "multipart/form-data"})
        self.assertEqual(answer.status, 400)

    def test_exif_is_kept(self):
        exif = Image.Exif()
        exif[0x010E] = "a name"
        answer, content = self._sharpen(_file("JPEG", exif=exif), "format=png")
        self.assertEqual(answer.status, 200)
        self.assertEqual(Image.open(io.BytesIO(content)).getexif()[0x010E], "a name")

    @parameterized.parameters(
        (b"", "", 400, "no picture was sent"),
        (b"GIF89a and so on", "", 415, "the file is not a JPG, PNG or WebP"),
        (b"\xff\xd8\xff\xe0 nonsense", "", 422, "it is damaged"),
        ("cut", "", 422, "it is damaged"),
        ("large", "", 413, "it has more than 0.5 megapixels"),
        ("heavy", "", 413, "the file is larger than 2 MB"),
        ("good", "strength=2", 400, "strength 2 is out of range"),
        ("good", "strength=much", 400, "strength must be a number, not 'much'"),
        ("good", "strength=nan", 400, "strength nan is out of range"),
        (
            "good",
            "model=../secret",
            404,
            "unknown model '../secret'; choose one of: rt-s-call",
        ),
        ("good", "format=gif", 400, "unknown format 'gif'; choose one of: avif, jpeg"),
        (
            "good",
            "stength=1",
            400,
            "unknown parameter 'stength'; choose one of: model, strength",
        ),
    )
    def test_invalid_requests_are_one_sentence(self, body, words, status, sentence):
        if isinstance(body, str):
            whole = _file("PNG")
            body = {
                "cut": whole[: len(whole) // 2],
                "large": _file("PNG", 1000, 600),
                "heavy": bytes(2_000_001),
                "good": whole,
            }[body]
        answer, content = self._sharpen(body, words)
        self.assertEqual(answer.status, status)
        self.assertIn(sentence, json.loads(content)["error"])

    @pytest.mark.slow
    def test_a_full_queue_answers_503_with_retry_after(self):
        body = _file("PNG", 360, 240)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = [
                answer
                for answer, _ in pool.map(
                    lambda _: self._sharpen(body, "model=dncnn17-bicubic2"), range(8)
                )
            ]
        statuses = [answer.status for answer in answers]
        self.assertContainsSubset({200, 503}, statuses)
        self.assertLessEqual(set(statuses), {200, 503})
        for answer in answers:
            if answer.status == 503:
                self.assertGreater(int(answer.headers["Retry-After"]), 0)
        answer, _ = self._sharpen(_file("PNG"))
        self.assertEqual(answer.status, 200)

    def test_health_and_metrics(self):
        self._sharpen(b"nothing of use")
        answer, content = self._ask("/api/health")
        self.assertEqual(answer.status, 200)
        self.assertEqual(
            json.loads(content)["models"], ["rt-s-call", "dncnn17-bicubic2"]
        )
        answer, content = self._ask("/api/metrics")
        text = content.decode()
        self.assertRegex(text, r'(?m)^kdsharp_requests_total\{status="415"\} \d+$')
        self.assertRegex(text, r"(?m)^kdsharp_waiting 0$")
        self.assertRegex(text, r"(?m)^kdsharp_held_bytes 0$")

    def test_requests_from_other_origins_are_refused(self):
        answer, _ = self._sharpen(_file("PNG"), Origin="http://evil.example")
        self.assertEqual(answer.status, 403)
        answer, _ = self._ask("/", Host="evil.example")
        self.assertEqual(answer.status, 400)
        answer, _ = self._sharpen(_file("PNG"), Origin=self.address.rstrip("/"))
        self.assertEqual(answer.status, 200)

    def test_serves_only_the_page_with_isolation_headers(self):
        for path in ("/", "/engine/worker.js"):
            answer, _ = self._ask(path)
            self.assertEqual(answer.status, 200)
            headers = answer.headers
            self.assertEqual(headers["Cross-Origin-Opener-Policy"], "same-origin")
            self.assertEqual(headers["Cross-Origin-Embedder-Policy"], "require-corp")
            self.assertIn("connect-src 'self'", headers["Content-Security-Policy"])
        for path in ("/../setup.py", "/..%2f..%2fetc/passwd", "//etc/passwd"):
            self.assertEqual(self._ask(path)[0].status, 404)

    def test_a_port_in_use_is_reported(self):
        status, _, complaints = run("serve", "--port", self.port)
        self.assertEqual(status, 2)
        self.assertRegex(complaints, "cannot listen on .*give another --port")
        self.assertLen(complaints.splitlines(), 1)

    @parameterized.parameters(
        (("--site", "/nowhere"), "/nowhere holds no site: kdsharp web build"),
        (("--waiting", "0"), "--waiting must be greater than 0, not 0"),
        (("--models", "nobody"), "no weights 'nobody'"),
    )
    def test_user_errors_are_one_sentence(self, arguments, words):
        status, _, complaints = run("serve", *arguments)
        self.assertEqual(status, 2)
        self.assertIn(words, complaints)
        self.assertLen(complaints.splitlines(), 1)


if __name__ == "__main__":
    absltest.main()
