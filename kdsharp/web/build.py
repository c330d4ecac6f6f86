"""`kdsharp web build`: a folder that any host serves."""

import dataclasses
import json
import shutil
import tempfile
from importlib import resources
from pathlib import Path

from kdsharp.errors import UserError
from kdsharp.web import networks, runtime

# By this file a folder is known for a site, and the page learns what it may use.
LIST = "site.json"


def run(out: Path, *, wished: list[str], runtime_copy: Path | None) -> None:
    """Writes the site and prints what it weighs."""
    _check(out)
    above = out.absolute().parent
    try:
        above.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=above))
    except OSError as error:
        raise UserError(
            f"{out} cannot be written ({error.strerror}): check {above}"
        ) from error
    try:
        site = folder / "site"
        # First what may fail.
        if runtime_copy:
            runtime.copy(runtime_copy, site / "runtime")
        else:
            runtime.fetch(site / "runtime")
        entries = write(site, networks.names(wished), engine="browser")
        _replace(site, out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _tell(out, entries)


def write(site: Path, names: list[str], *, engine: str) -> list[networks.Entry]:
    """Writes all but the runtime; `engine` says where pictures are computed."""
    page = resources.files(__package__) / "page"
    with resources.as_file(page) as source:
        shutil.copytree(
            source,
            site,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("__pycache__", "*.py"),
        )
    entries = [networks.write(name, site / "networks") for name in names]
    told = {
        "engine": engine,
        "runtime": runtime.VERSION,
        "networks": [dataclasses.asdict(entry) for entry in entries],
    }
    (site / LIST).write_text(json.dumps(told, indent=1) + "\n")
    return entries


def _check(out: Path) -> None:
    """Refuses to replace anything that is no site."""
    if out.is_file():
        raise UserError(f"{out} is a file: give the name of a folder")
    if out.is_dir() and any(out.iterdir()) and not (out / LIST).is_file():
        raise UserError(
            f"{out} holds other things than a site: give a new folder, or an empty one"
        )


def _replace(site: Path, out: Path) -> None:
    if out.exists():
        out.replace(site.with_name("old"))
    site.replace(out)
    out.chmod(0o755)


def _tell(out: Path, entries: list[networks.Entry]) -> None:
    def size(paths) -> int:
        return sum(path.stat().st_size for path in paths if path.is_file())

    parts = ("networks", "runtime")
    page = size(
        path for path in out.rglob("*") if path.relative_to(out).parts[0] not in parts
    )
    first = entries[0]
    beside = size((out / "networks").glob(f"{first.name}.*"))
    runtime_ = size((out / "runtime").iterdir())
    print(out)
    print(f"page        {page / 1e3:,.0f} kB")
    print(
        f"networks    {len(entries)}; the first, {first.name}, {beside / 1e3:,.0f} kB"
    )
    print(f"runtime     onnxruntime-web {runtime.VERSION}, {runtime_ / 1e6:.1f} MB")
    print(f"to look at  python -m http.server -b 127.0.0.1 -d {out}")
