"""A real headless browser, and a plain file server."""

import contextlib
import functools
import http.server
import os
import pathlib
import re
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator

from absl.testing import absltest, parameterized

from benchmarks import browser_speed
from kdsharp.base import optional

PROGRAM = browser_speed.find_chromium()
CAN = PROGRAM and shutil.which("npm") and optional.installed("playwright", "onnx")
WHY_NOT = "needs chromium and npm (apt-get install chromium npm) and playwright"

# Milliseconds for what the page shows by itself.
_PATIENCE = 120_000
# Seconds after which a browser is ended that holds a test up even after pytest gave up
# on it: playwright knows no limit for calls such as `evaluate` and `close`.
_LONGEST = 330


class Host(http.server.SimpleHTTPRequestHandler):
    """Serves files without the headers that threads need."""

    extensions_map = {  # noqa: RUF012
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def log_message(self, *arguments):
        self.server.seen.append(self.path)


@contextlib.contextmanager
def host(folder: pathlib.Path) -> Iterator[tuple[str, list[str]]]:
    """Yields an address on this machine, and what was asked of it so far."""
    handler = functools.partial(Host, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.seen = []
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", server.seen
        finally:
            server.shutdown()


@contextlib.contextmanager
def chromium(*arguments: str) -> Iterator:
    """Yields a browser, which runs as long."""
    from playwright.sync_api import sync_playwright

    before = _children()
    # Two tests side by side must not take each other's profile.
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as home:
        drivers = _children() - before
        browser = playwright.chromium.launch(
            executable_path=PROGRAM,
            args=["--no-sandbox", *arguments],
            env={**os.environ, "HOME": home},
        )
        browser.drivers = drivers
        try:
            yield browser
        finally:
            with _ended_after(_LONGEST, browser):
                browser.close()


def _children() -> set[int]:
    """The child processes of this process, where the system tells."""
    files = pathlib.Path("/proc/self/task").glob("*/children")
    return {int(child) for file in files for child in file.read_text().split()}


@contextlib.contextmanager
def _ended_after(seconds: float, browser) -> Iterator[None]:
    """Ends playwright then, which ends the browser: what waits for them fails."""

    def end():
        for process in browser.drivers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    timer = threading.Timer(seconds, end)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@absltest.skipIf(not CAN, WHY_NOT)
class PageTest(parameterized.TestCase):
    """Opens pages in a browser that is shared by the class."""

    ARGUMENTS: tuple[str, ...] = ()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(cls.enterClassContext(_folder()))
        cls.browser = cls.enterClassContext(chromium(*cls.ARGUMENTS))

    def setUp(self):
        super().setUp()
        # Entered first, left last: it holds for closing pages, too.
        self.enterContext(_ended_after(_LONGEST, self.browser))

    def open(self, address: str, *, until: str = "body[data-ready]", **wishes):
        """Opens a page for the test and waits for the selector `until`."""
        return self._opened(self.addCleanup, address, until, wishes)

    @classmethod
    def open_for_all(cls, address: str):
        """Opens a page that is shared by the class."""
        return cls._opened(cls.addClassCleanup, address, "body[data-ready]", {})

    @classmethod
    def _opened(cls, clean_up, address: str, until: str, wishes: dict):
        """What a page asks for, and complains of, is in its `asked`, `complaints`."""
        context = cls.browser.new_context(accept_downloads=True, **wishes)
        clean_up(context.close)
        context.set_default_timeout(_PATIENCE)
        page = context.new_page()
        page.asked, page.complaints = [], []
        context.on("request", lambda request: page.asked.append(request.url))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on(
            "console",
            lambda said: said.type == "error" and page.complaints.append(said.text),
        )
        page.goto(address)
        page.wait_for_selector(until, state="attached")
        return page

    def wait(self, page, selector: str, pattern: str) -> str:
        """Waits until the element's text matches, and returns the text."""
        end = time.monotonic() + _PATIENCE / 1000
        text = ""
        while time.monotonic() < end:
            text = page.inner_text(selector)
            if re.search(pattern, text):
                return text
            if selector != "#problem" and page.is_visible("#problem"):
                self.fail(page.inner_text("#problem"))
            page.wait_for_timeout(50)
        self.fail(f"{selector} still says {text!r}, not {pattern!r}")

    def wait_until_painted(self, page) -> None:
        """Waits until everything has been drawn."""
        page.evaluate(
            """() => new Promise((done) =>
              requestAnimationFrame(() => requestAnimationFrame(() => done())))"""
        )

    def tab_to(self, page, selector: str, key: str = "Tab") -> None:
        """Presses the key until that has the focus."""
        for _ in range(40):
            page.keyboard.press(key)
            if page.evaluate("s => document.activeElement.matches(s)", selector):
                return
        self.fail(f"{selector} is not reached by {key}")

    def press(self, page, key: str, done: Callable[[], bool]) -> None:
        """Presses the key until it has had its effect, as a person would again."""
        for _ in range(5):
            page.keyboard.press(key)
            for _ in range(100):
                if done():
                    return
                page.wait_for_timeout(50)
        self.fail(f"{key} has no effect")


@contextlib.contextmanager
def _folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield folder
