"""`kdsharp web extension`: an extension of Chromium and Firefox, as a folder and a zip.

It holds the page's own modules that restore frames, one network, and nothing that
speaks to anybody.
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
# What of the page restores frames.
_SHARED = (
    "camera/following.js",
    "camera/frames.js",
    "camera/kernel.js",
    "camera/planes.js",
    "camera/thread-worker.js",
    "camera/threads.js",
    "engine/context.js",
    "engine/sessions.js",
    "site.js",
    "words.js",
)


def run(out: Path, *, model: str = restore_options.DEFAULT_VIDEO) -> None:
    """Writes the folder and, beside it, the zip that stores and browsers take."""
    zipped = out.with_name(f"{out.name}.zip")
    with output_folder.replaced(out, holds="this extension", is_ours=_is_ours) as made:
        entry = _write(made, model)
        with atomic_files.atomic_write(zipped) as unfinished:
            _zip(made, unfinished)
    print(f"{out}  (Chromium: chrome://extensions, developer mode, load unpacked)")
    print(
        f"{zipped}  ({zipped.stat().st_size / 1e3:,.0f} kB; Firefox: about:debugging)"
    )
    print(f"network     {entry.name}")


def _write(folder: Path, model: str) -> networks.PageNetwork:
    package = resources.files(__package__)
    with resources.as_file(package / "extension") as source:
        shutil.copytree(source, folder)
    for name in _SHARED:
        target = folder / "page" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((package / "page" / name).read_bytes())
    entry = networks.write(model, folder / "page/networks")
    if entry.kernel is None:
        raise UserError(
            f"{model} has no WebAssembly of its own, which an extension needs: take "
            "a network of luma that folds by 2, such as rt-s-call"
        )
    # Frames are restored by the kernel: the graph would only weigh.
    (folder / "page/networks" / entry.graph).unlink()
    site = {"engine": "browser", "networks": [dataclasses.asdict(entry)]}
    (folder / "page" / build.LIST).write_text(json.dumps(site, indent=1) + "\n")
    manifest = json.loads((folder / _MANIFEST).read_text())
    manifest["version"] = _version()
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    return entry


def _version() -> str:
    """Up to four numbers, which is all that browsers take for a version."""
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
