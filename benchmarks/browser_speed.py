"""Time per frame in this machine's Chromium, for each backend of the web page.

    python -m benchmarks.browser_speed SITE

Medians, in milliseconds. SITE is a folder that `kdsharp web build` wrote. Needs
playwright and Chromium. The page's own button "Measure this machine" measures the same
on any device and browser.
"""

import argparse
import functools
import http.server
import shutil
import sys
import threading

from benchmarks import command
from kdsharp.base import optional
from kdsharp.errors import UserError

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_TIMEOUT_MS = 600_000


class _Host(http.server.SimpleHTTPRequestHandler):
    extensions_map = {  # noqa: RUF012
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
    }

    def log_message(self, *arguments):
        pass


def find_chromium() -> str | None:
    """Finds the Chromium or Chrome program on the PATH; None if there is none."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("site", metavar="SITE", help="the folder of a site")


def measure(arguments: argparse.Namespace) -> list[list[str]]:
    """Reads the page's table: a row for each network and backend."""
    program = find_chromium()
    if program is None:
        raise UserError("measuring in a browser needs Chromium: install chromium")
    optional.require("playwright", purpose="measuring in a browser")
    from playwright.sync_api import sync_playwright

    handler = functools.partial(_Host, directory=arguments.site)
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        sync_playwright() as playwright,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox"]
        )
        page = browser.new_page()
        page.set_default_timeout(_TIMEOUT_MS)
        page.goto(f"http://127.0.0.1:{server.server_port}/#camera")
        page.wait_for_selector("body[data-ready]", state="attached")
        page.click("#measure")
        page.locator("#call-status", has_text="Measured").wait_for()
        rows = page.locator("#speeds tr")
        found = [row.locator("th,td").all_inner_texts() for row in rows.all()]
        browser.close()
        server.shutdown()
    return found


def report(results: list[list[str]]) -> str:
    """Formats the rows as a Markdown table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in results)


if __name__ == "__main__":
    sys.exit(command.run(__name__))
