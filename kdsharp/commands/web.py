"""`kdsharp web`: builds the web page and the browser extension."""

from pathlib import Path

from kdsharp.web import build as site_files
from kdsharp.web import networks, output_folder, runtime


def build(out: Path, *, models: list[str], runtime_copy: Path | None) -> None:
    """Writes the site and prints its size."""
    with output_folder.replacing(out, holds="a site", is_ours=_is_site) as site:
        # The runtime first, because fetching it may fail.
        if runtime_copy:
            runtime.copy(runtime_copy, site / "runtime")
        else:
            runtime.fetch(site / "runtime")
        entries = site_files.write(site, networks.names(models), engine="browser")
    _print_sizes(out, entries)


def extension(out: Path, *, model: str | None) -> None:
    """Writes the browser extension and prints its size."""
    from kdsharp.web import build_extension

    build_extension.run(out, **({"model": model} if model else {}))


def _is_site(folder: Path) -> bool:
    return (folder / site_files.LIST).is_file()


def _print_sizes(out: Path, entries: list[networks.PageNetwork]) -> None:
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
    print(f"to view it  python -m http.server -b 127.0.0.1 -d {out}")
