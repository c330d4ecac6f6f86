"""`kdsharp web extension`: a browser extension as a folder and a zip file.

It contains the page's modules that restore frames and one network, and makes no network
requests.
"""

import dataclasses
import json
import shutil
import zipfile
from importlib import resources
from pathlib import Path

from kdsharp.base import atomic_files
from kdsharp.errors import UserError
from kdsharp.runtime import options as restore_options
from kdsharp.web import build, networks, output_folder

_MANIFEST = "manifest.json"
# Modules of the page that restore frames.
_SHARED = (
    "camera/gain-tracker.js",
    "camera/frames.js",
    "camera/kernel.js",
    "camera/measured.js",
    "camera/planes.js",
    "camera/recall.js",
    "camera/scenes.js",
    "camera/thread-worker.js",
    "camera/threads.js",
    "engine/context.js",
    "engine/sessions.js",
    "site.js",
    "words.js",
)


def run(out: Path, *, model: str = restore_options.DEFAULT_VIDEO) -> None:
    """Writes the folder and, next to it, the zip for browsers and add-on stores."""
    zipped = out.with_name(f"{out.name}.zip")
    with output_folder.replacing(out, holds="this extension", is_ours=_is_ours) as made:
        entry = _write(made, model)
        with atomic_files.atomic_write(zipped) as unfinished:
            _zip(made, unfinished)
    print(f"{out}  (Chromium: chrome://extensions, developer mode, load unpacked)")
    print(
        f"{zipped}  ({zipped.stat().st_size / 1e3:,.0f} kB; Firefox: about:debugging)"
    )
    print(f"network     {entry.name}")


def _write(folder: Path, model: str) -> networks.PageNetwork:
    package = resources.files("kdsharp.web")
    with resources.as_file(package / "extension") as source:
        shutil.copytree(source, folder)
    for name in _SHARED:
        target = folder / "page" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((package / "page" / name).read_bytes())
    entry = networks.write(model, folder / "page/networks")
    if entry.kernel is None:
        raise UserError(
            f"{model} cannot be compiled to WebAssembly, which an extension needs: use "
            "a network for luma that folds by 2, such as rt-s-call"
        )
    # The extension uses the kernel, so the graph is not needed.
    (folder / "page/networks" / entry.graph).unlink()
    site = {"engine": "browser", "networks": [dataclasses.asdict(entry)]}
    (folder / "page" / build.LIST).write_text(json.dumps(site, indent=1) + "\n")
    manifest = json.loads((folder / _MANIFEST).read_text())
    manifest["version"] = _version()
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    return entry


def _version() -> str:
    """The version as up to four numbers, as browsers require."""
    from kdsharp import __version__

    numbers = [part for part in __version__.split(".") if part.isdigit()]
    return ".".join(numbers[:4]) or "0"


def _zip(folder: Path, out: Path) -> None:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*")):
            file.write(path, path.relative_to(folder))


def _is_ours(folder: Path) -> bool:
    try:
        return json.loads((folder / _MANIFEST).read_text()).get("name") == "kdsharp"
    except (OSError, ValueError):
        return False
