"""Accepted host names, and requests through a proxy."""

import json
import socket

import pytest
from absl.testing import absltest, parameterized

from kdsharp.base import optional
from tests.cli.running import run
from tests.web.serving import asking, nginx, servers

_CAN = optional.installed("starlette", "uvicorn", "onnx")
_MODEL = ("--models", "rt-s-call")


@absltest.skipIf(not _CAN, "starlette, uvicorn and onnx are not installed")
class NamesTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        allowed = ("--allow", "Sharp.example", "*.example.org")
        _, cls.port, _ = cls.enterClassContext(
            servers.serving(*_MODEL, "--host", "0.0.0.0", *allowed)
        )

    @parameterized.parameters(
        "127.0.0.1:8000",
        "192.0.2.7",
        "[2001:db8::1]:8000",
        "localhost:8000",
        socket.gethostname(),
        "sharp.example",
        "SHARP.example:80",
        "a.example.org",
        "a.b.example.org:443",
    )
    def test_addresses_and_allowed_names_are_accepted(self, host):
        answer, _ = asking.ask(self.port, "/", Host=host)
        self.assertEqual(answer.status, 200)
        answer, content = asking.ask(
            self.port,
            "/api/sharpen",
            asking.photograph(),
            Host=host,
            Origin=f"http://{host}",
        )
        self.assertEqual((answer.status, content[:4]), (200, b"\x89PNG"))

    @parameterized.parameters(
        "evil.example",
        "example.org",
        "sharp.example.evil.example",
        "evilexample.org",
        "localhost@evil.example",
        "localhost/evil.example",
        "[::1",
        "127.0.0.1.evil.example",
        "",
    )
    def test_other_host_names_are_refused(self, host):
        answer, content = asking.ask(self.port, "/api/metrics", Host=host)
        self.assertEqual(answer.status, 400)
        self.assertIn("does not accept the host name", json.loads(content)["error"])

    def test_healthz_is_served_under_any_name(self):
        answer, content = asking.ask(self.port, "/healthz", Host="pod-7.internal")
        self.assertEqual((answer.status, json.loads(content)), (200, {"status": "ok"}))
        with socket.create_connection(("127.0.0.1", self.port)) as old:
            # As HAProxy asks: a version of HTTP without hosts.
            old.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            self.assertStartsWith(old.makefile("rb").readline(), b"HTTP/1.1 200")

    def test_forwarded_headers_are_ignored_by_default(self):
        told = {"X_Forwarded_Host": "evil.example", "X_Forwarded_Proto": "https"}
        answer, _ = asking.ask(self.port, "/", **told)
        self.assertEqual(answer.status, 200)
        told["X_Forwarded_Host"] = "sharp.example"
        answer, _ = asking.ask(self.port, "/", Host="evil.example", **told)
        self.assertEqual(answer.status, 400)

    @parameterized.parameters(
        (("--allow", "http://a.example"), "*.example.org, not 'http://a.example'"),
        (("--allow", "*example.org"), "--allow must be a host name"),
        (("--proxy", "nginx"), "--proxy must be an address, such as 127.0.0.1"),
        (("--drain", "0"), "--drain must be greater than 0, not 0"),
    )
    def test_user_errors_are_one_sentence(self, arguments, words):
        status, _, complaints = run("serve", *arguments)
        self.assertEqual(status, 2)
        self.assertIn(words, complaints)
        self.assertLen(complaints.splitlines(), 1)


@absltest.skipIf(not _CAN, "starlette, uvicorn and onnx are not installed")
class ProxyTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        allowed = ("--allow", "sharp.example", "--proxy", "192.0.2.0/24", "127.0.0.0/8")
        _, cls.port, _ = cls.enterClassContext(servers.serving(*_MODEL, *allowed))

    def _sharpen(self, port: int, origin: str, **headers) -> int:
        answer, _ = asking.ask(
            port, "/api/sharpen", asking.photograph(), Origin=origin, **headers
        )
        return answer.status

    @absltest.skipIf(not nginx.PROGRAM, nginx.WHY_NOT)
    def test_nginx_passes_on_why_a_large_body_is_refused(self):
        # More than buffers on the way hold: it is still being sent when it is refused.
        large = bytes(8_000_000)
        with nginx.before(self.port) as port:
            for host, query, words in (
                ("sharp.example", "model=nobody", "unknown model 'nobody'"),
                ("sharp.example", "strength=much", "strength"),
                ("evil.example", "", "evil.example"),
            ):
                answer, content = asking.ask(
                    port, f"/api/sharpen?{query}", large, Host=host
                )
                self.assertIn(answer.status, (400, 404))
                self.assertIn(words, json.loads(content)["error"])

    @absltest.skipIf(not nginx.PROGRAM, nginx.WHY_NOT)
    def test_nginx_passes_on_what_a_page_of_its_own_name_asks(self):
        name = {"Host": "sharp.example"}
        with nginx.before(self.port) as port:
            self.assertEqual(asking.ask(port, "/", **name)[0].status, 200)
            self.assertEqual(self._sharpen(port, "https://sharp.example", **name), 200)
            # The proxy says that visitors use https.
            self.assertEqual(self._sharpen(port, "http://sharp.example", **name), 403)
            self.assertEqual(self._sharpen(port, "https://evil.example", **name), 403)
            answer, _ = asking.ask(port, "/", Host="evil.example")
            self.assertEqual(answer.status, 400)

    def test_nearest_proxy_takes_precedence(self):
        told = {"X_Forwarded_Host": "evil.example, sharp.example"}
        self.assertEqual(self._sharpen(self.port, "https://sharp.example", **told), 200)
        told = {"X_Forwarded_Host": "sharp.example, evil.example"}
        self.assertEqual(self._sharpen(self.port, "https://sharp.example", **told), 400)

    @absltest.skipIf(not nginx.PROGRAM, nginx.WHY_NOT)
    @pytest.mark.slow
    def test_other_proxies_are_not_trusted(self):
        with (
            servers.serving(*_MODEL, "--proxy", "192.0.2.1") as (_, behind, _),
            nginx.before(behind) as port,
        ):
            name = {"Host": "sharp.example"}
            # nginx asks for its upstream's address, which is none of the page's.
            self.assertEqual(self._sharpen(port, "https://sharp.example", **name), 403)
            self.assertEqual(asking.ask(port, "/", **name)[0].status, 200)


if __name__ == "__main__":
    absltest.main()
