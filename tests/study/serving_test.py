"""Thirty raters while the server is killed, and one complete session in a browser."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time

import pytest
from absl.testing import absltest

from kdsharp.base import optional
from kdsharp.study import answers, order
from tests import waiting
from tests.study import studies
from tests.web import browser

pytestmark = pytest.mark.slow


_ROOT = pathlib.Path(__file__).parents[2]
_RATERS = 30
_CAN = optional.installed("starlette", "uvicorn")

_NONSENSE = (
    ("GET", "/api/raters/nobody", None, 404),
    ("PUT", "/api/raters/nobody/0/overall", b"3", 404),
    ("PUT", "/api/raters/{}/0/beauty", b"3", 404),
    ("PUT", "/api/raters/{}/999/overall", b"3", 404),
    ("PUT", "/api/raters/{}/0/overall", b"6", 422),
    ("PUT", "/api/raters/{}/0/overall", b"3.5", 422),
    ("PUT", "/api/raters/{}/0/overall", b"1" * 10_000, 413),
    ("GET", "/api/raters/{}/999/picture", None, 404),
    ("GET", "/study.json", None, 404),
    ("GET", "/../answers.sqlite", None, 404),
)


class Server:
    """`kdsharp mos serve` in a process of its own, at one port."""

    def __init__(self, study: pathlib.Path):
        self._study = study
        self.port = 0
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "kdsharp.cli", "mos", "serve", self._study]
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port)], cwd=_ROOT, stdout=subprocess.PIPE
        )
        line = self.process.stdout.readline().decode()
        self.port = int(re.search(r":(\d+)/", line)[1])

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def ask(self, method: str, path: str, body: bytes | None = None):
        """Sends a request; returns (status, content), or None without an answer."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=waiting.PATIENCE
        )
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def insist(self, method: str, path: str, body: bytes | None = None):
        """Asks until there is an answer, as the page does."""
        while (found := self.ask(method, path, body)) is None:
            time.sleep(0.05)
        return found


@contextlib.contextmanager
def _serving(study: pathlib.Path):
    server = Server(study)
    try:
        yield server
    finally:
        server.kill()


@absltest.skipIf(not _CAN, "starlette and uvicorn are not installed")
class KillTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.study = studies.make(pathlib.Path(self.create_tempdir().full_path))

    def test_no_rating_is_lost_or_duplicated(self):
        with _serving(self.study) as server:
            with concurrent.futures.ThreadPoolExecutor(_RATERS) as pool:
                rating = [pool.submit(self._rate, server, n) for n in range(_RATERS)]
                for _ in range(2):
                    self._wait_for_answers(150)
                    server.kill()
                    server.start()
                given = dict(rater.result() for rater in rating)
            self.assertLen(given, _RATERS)
            for token, wanted in given.items():
                _, told = server.ask("GET", f"/api/raters/{token}")
                found = json.loads(told)["given"]
                self.assertEqual(_flat(found), wanted)
        with sqlite3.connect(self.study / answers.FILE) as database:
            (count,) = database.execute("select count(*) from answers").fetchone()
            (whole,) = database.execute("pragma integrity_check").fetchone()
        self.assertEqual(count, sum(map(len, given.values())))
        self.assertEqual(whole, "ok")

    def _rate(self, server: Server, seed: int) -> tuple[str, dict]:
        """Gives every answer and returns those that were acknowledged: all."""
        chance = random.Random(seed)
        status, told = server.insist("POST", "/api/raters")
        self.assertEqual(status, 201)
        token = json.loads(told)["token"]
        _, told = server.insist("GET", f"/api/raters/{token}")
        given = {}
        for trial in json.loads(told)["trials"]:
            for scale in order.SCALES:
                score = chance.randint(1, 5)
                path = f"/api/raters/{token}/{trial['number']}/{scale}"
                status, _ = server.insist("PUT", path, str(score).encode())
                self.assertEqual(status, 204)
                given[trial["number"], scale] = score
        return token, given

    def _wait_for_answers(self, more: int) -> None:
        def count() -> int:
            with contextlib.closing(
                sqlite3.connect(self.study / answers.FILE, timeout=waiting.PATIENCE)
            ) as database:
                return database.execute("select count(*) from answers").fetchone()[0]

        before = count()
        while count() < before + more:
            time.sleep(0.02)

    def test_invalid_requests_are_refused(self):
        with _serving(self.study) as server:
            _, told = server.ask("POST", "/api/raters")
            token = json.loads(told)["token"]
            for method, path, body, wanted in _NONSENSE:
                status, _ = server.ask(method, path.format(token), body)
                self.assertEqual(status, wanted, path)
            _, told = server.ask("GET", f"/api/raters/{token}")
            self.assertEqual(json.loads(told)["given"], {})


def _flat(given: dict[str, dict[str, int]]) -> dict:
    return {
        (int(trial), scale): score
        for trial, scores in given.items()
        for scale, score in scores.items()
    }


@absltest.skipIf(not _CAN, "starlette and uvicorn are not installed")
class StudyPageTest(browser.PageTest):
    def test_complete_session_by_keyboard_with_a_pause(self):
        study = studies.make(self.folder, "--training", 1, "--repeats", 1)
        chance = random.Random(0)
        wanted = {}
        with _serving(study) as server:
            address = f"http://127.0.0.1:{server.port}/"
            page = self.open(
                address,
                until="#begin",
                viewport={"width": 800, "height": 700},
                device_scale_factor=2,
            )
            self.assertIn("Only your ratings are stored", page.inner_text("#first"))
            self.tab_to(page, "#begin")
            page.keyboard.press("Enter")
            for number in range(8):
                self.wait(page, "#place", f"Picture {number + 1} of 8")
                if number == 0:
                    self.assertIn("for practice", page.inner_text("#place"))
                self._check_pixels(page)
                for scale in order.SCALES:
                    score = chance.randint(1, 5)
                    self._choose(page, scale, score)
                    wanted[number, scale] = score
                if number == 3:
                    # A pause: the page is left and opened again by its address.
                    self.wait(page, "#saved", "Saved")
                    page.goto("about:blank")
                    page.goto(f"{address}#{self.token}")
                    continue
                page.locator("#next:enabled").wait_for()
                self.token = page.evaluate("location.hash.slice(1)")
                self.tab_to(page, "#next")
                page.keyboard.press("Enter")
            self.wait(page, "#last", "Thank you")
            for url in page.asked:
                self.assertStartsWith(url.replace("data:,", address), address)
        kept = answers.Answers(study)
        found = {(a.trial, a.scale): a.score for a in kept.of_rater(self.token)}
        kept.close()
        self.assertEqual(found, wanted)

    def _choose(self, page, scale: str, score: int) -> None:
        chosen = f'input[name="{scale}"][value="{score}"]'
        self.tab_to(page, f'input[name="{scale}"]')
        page.keyboard.press("Space")
        for _ in range(5):
            if page.evaluate("s => document.activeElement.matches(s)", chosen):
                break
            page.keyboard.press("ArrowRight")
        page.keyboard.press("Space")
        page.locator(f"{chosen}:checked").wait_for()

    def _check_pixels(self, page) -> None:
        """One pixel of the picture is one of the screen."""
        page.locator("#picture[style]").wait_for()
        natural, shown, ratio = page.evaluate(
            """() => {
              const picture = document.querySelector("#picture");
              const { width } = picture.getBoundingClientRect();
              return [picture.naturalWidth, width, devicePixelRatio];
            }"""
        )
        self.assertEqual((natural, ratio), (160, 2))
        self.assertAlmostEqual(shown * ratio, natural, places=3)

    def test_last_rating_of_a_scale_counts(self):
        study = studies.make(self.folder / "quick", "--training", 0)
        with _serving(study) as server:
            page = self.open(f"http://127.0.0.1:{server.port}/", until="#begin")
            # An answer that is slow to arrive must not arrive after the next, and a
            # picture that is must not move the focus away from a choice.
            page.evaluate(
                """() => {
                  const image = HTMLImageElement.prototype;
                  const decode = image.decode;
                  image.decode = async function () {
                    await new Promise((resolve) => setTimeout(resolve, 300));
                    return decode.call(this);
                  };
                  const [send, delays] = [window.fetch, [900, 500]];
                  window.fetch = async (path, options = {}) => {
                    const wait = options.method === "PUT" ? delays.shift() ?? 0 : 0;
                    await new Promise((resolve) => setTimeout(resolve, wait));
                    return send(path, options);
                  };
                }"""
            )
            page.click("#begin")
            self.wait(page, "#place", "Picture 1 of")
            first = page.locator('input[name="overall"]').first
            first.focus()
            for key in ("Space", "ArrowRight", "ArrowRight", "ArrowRight"):
                page.keyboard.press(key, delay=120)
            self.wait(page, "#saved", "Saved")
            token = page.evaluate("location.hash.slice(1)")
            kept = answers.Answers(study)
            self.assertEqual(
                kept.of_rater(token), [answers.Answer(token, 0, "overall", 4)]
            )
            kept.close()

    def test_cropped_pictures_cannot_be_rated(self):
        study = studies.make(self.folder / "narrow", "--training", 0)
        with _serving(study) as server:
            page = self.open(
                f"http://127.0.0.1:{server.port}/",
                until="#begin",
                viewport={"width": 150, "height": 700},
            )
            page.click("#begin")
            self.wait(page, "#problem", "This window is too narrow")
            self.assertTrue(page.locator("#scales input").first.is_disabled())
            page.set_viewport_size({"width": 400, "height": 700})
            page.locator("#scales input:enabled").first.wait_for()
            self.assertFalse(page.is_visible("#problem"))
            wide = page.evaluate("document.documentElement.scrollWidth")
            self.assertLessEqual(wide, 400)

    def test_ratings_are_retried_until_the_server_is_back(self):
        study = studies.make(self.folder / "away", "--training", 0)
        with _serving(study) as server:
            address = f"http://127.0.0.1:{server.port}/"
            page = self.open(address, until="#begin")
            page.click("#begin")
            self.wait(page, "#place", "Picture 1 of")
            server.kill()
            page.click('label:has(input[name="overall"][value="4"])')
            self.wait(page, "#problem", "does not respond. This page keeps trying")
            self.assertNotIn("Saved", page.inner_text("#saved"))
            server.start()
            page.locator("#saved", has_text="Saved").wait_for()
            token = page.evaluate("location.hash.slice(1)")
        kept = answers.Answers(study)
        self.assertEqual(kept.of_rater(token), [answers.Answer(token, 0, "overall", 4)])
        kept.close()

    def setUp(self):
        super().setUp()
        for name in ("away", "narrow", "quick"):
            os.makedirs(self.folder / name, exist_ok=True)


if __name__ == "__main__":
    absltest.main()
