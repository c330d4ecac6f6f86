"""Builds a site: the page, its networks, and a list of them."""

import dataclasses
import json
import re
import shutil
from importlib import resources
from pathlib import Path

from kdsharp.web import networks, runtime

# The page reads this file; its presence identifies a folder as a site.
LIST = "site.json"

# Comments that fill their lines, which browsers need not load.
_COMMENTS = re.compile(r"^ *(?://[^\n]*|/\*\*.*?\*/)\n", re.MULTILINE | re.DOTALL)


def write(site: Path, names: list[str], *, engine: str) -> list[networks.PageNetwork]:
    """Writes everything but the runtime; `engine` says where pictures are computed."""
    page = resources.files("kdsharp.web") / "page"
    with resources.as_file(page) as source:
        shutil.copytree(
            source,
            site,
            dirs_exist_ok=True,
            copy_function=_copy,
            ignore=shutil.ignore_patterns("__pycache__", "*.py"),
        )
    entries = [networks.write(name, site / "networks", names) for name in names]
    listing = {
        "engine": engine,
        "runtime": runtime.VERSION,
        "networks": [dataclasses.asdict(entry) for entry in entries],
    }
    (site / LIST).write_text(json.dumps(listing, indent=1) + "\n")
    return entries


def _copy(source: str, target: str) -> None:
    if source.endswith(".js"):
        text = Path(source).read_text(encoding="utf-8")
        text = _COMMENTS.sub("", text)
        Path(target).write_text(text.lstrip("\n"), encoding="utf-8")
    else:
        shutil.copyfile(source, target)
