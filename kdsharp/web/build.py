"""A site: the page, its networks, and a list of them."""

import dataclasses
import json
import shutil
from importlib import resources
from pathlib import Path

from kdsharp.web import networks, runtime

# By this file a folder is known for a site, and the page learns what it may use.
LIST = "site.json"


def write(site: Path, names: list[str], *, engine: str) -> list[networks.PageNetwork]:
    """Writes all but the runtime; `engine` says where pictures are computed."""
    page = resources.files(__package__) / "page"
    with resources.as_file(page) as source:
        shutil.copytree(
            source,
            site,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("__pycache__", "*.py"),
        )
    entries = [networks.write(name, site / "networks", names) for name in names]
    told = {
        "engine": engine,
        "runtime": runtime.VERSION,
        "networks": [dataclasses.asdict(entry) for entry in entries],
    }
    (site / LIST).write_text(json.dumps(told, indent=1) + "\n")
    return entries
