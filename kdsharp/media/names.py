"""Which files are meant, and where what is made of them goes."""

import dataclasses
import glob
from collections.abc import Sequence
from pathlib import Path

from kdsharp.errors import UserError
from kdsharp.media import pictures

STREAM = "-"


@dataclasses.dataclass(frozen=True)
class Job:
    """One picture: where it is, and where it goes.

    None is standard input or output. Unless `exact`, the picture's format decides how
    the target's name ends, or `format` does, which is empty or one that is written.
    """

    source: Path | None
    target: Path | None
    exact: bool = False
    format: str = ""

    @property
    def name(self) -> str:
        return str(self.source or "standard input")

    def target_for(self, format_: str) -> Path | None:
        """Returns where a picture that came in that format goes."""
        if self.exact or self.target is None:
            return self.target
        kept = self.format_for(format_)
        return self.target.with_suffix(pictures.ending_for(self.target, kept))

    def format_for(self, format_: str) -> str:
        """Returns what a picture that came in that format is written as."""
        return self.format or pictures.kept_format(format_)


@dataclasses.dataclass(frozen=True)
class Plan:
    """The pictures that are meant, and the files of folders that are none."""

    jobs: list[Job]
    skipped: list[Path]


def plan(inputs: Sequence[str], out: str | None, format_: str = "") -> Plan:
    """Returns a job for every picture that files, patterns and folders name.

    Without `out`, a file's stands beside it as `NAME.sharp.EXT`, a folder's in a folder
    beside it, `NAME.sharp`, that keeps its tree.
    """
    if STREAM in inputs or out == STREAM:
        return Plan([_stream(inputs, out, format_)], [])
    sources = [path for given in inputs for path in _expand(given)]
    if out is not None and _is_one_file(sources, out):
        return Plan([Job(sources[0], _exact(Path(out), format_), exact=True)], [])
    folder = None if out is None else Path(out)
    jobs: list[Job] = []
    skipped: list[Path] = []
    for source in sources:
        if source.is_dir():
            found, left = _of_folder(source, folder, format_)
            jobs += found
            skipped += left
        else:
            jobs.append(_of_file(source, folder, format_))
    return Plan(list(dict.fromkeys(jobs)), list(dict.fromkeys(skipped)))


def comparison(target: Path) -> Path:
    """Returns where before and after go, side by side."""
    stem = target.stem.removesuffix(".sharp")
    return target.with_name(f"{stem}.compare{target.suffix}")


def _stream(inputs: Sequence[str], out: str | None, format_: str) -> Job:
    if len(inputs) != 1:
        raise UserError("standard input and output hold one picture: give one")
    source = None if inputs[0] == STREAM else Path(inputs[0])
    if source is not None and source.is_dir():
        raise UserError(f"{source} is a folder: standard output holds one picture")
    if out in (None, STREAM):
        return Job(source, None, format=format_)
    target = Path(out)
    if target.is_dir():
        raise UserError(f"{target} is a folder: name a file for standard input")
    return Job(source, _exact(target, format_), exact=True)


def _exact(target: Path, format_: str) -> Path:
    """Returns the name of a file that somebody gave."""
    if format_ not in ("", pictures.format_of(target)):
        raise UserError(f"{target} is no {format_}: give its name or --format")
    return target


def _expand(given: str) -> list[Path]:
    path = Path(given)
    if path.exists() or not glob.has_magic(given):
        return [path]
    found = sorted(map(Path, glob.glob(given, recursive=True)))
    if not found:
        raise UserError(f"no files match {given}")
    return found


def _is_one_file(sources: Sequence[Path], out: str) -> bool:
    target = Path(out)
    if out.endswith("/") or target.is_dir() or not target.suffix:
        return False
    if len(sources) == 1 and not sources[0].is_dir():
        return True
    if target.suffix.lower() in pictures.ENDINGS:
        raise UserError(f"{out} is one picture: name a folder for several")
    return False


def _of_file(source: Path, folder: Path | None, format_: str) -> Job:
    if folder is None:
        target = source.with_name(f"{source.stem}.sharp{source.suffix}")
    else:
        target = folder / source.name
    return Job(source, target, format=format_)


def _of_folder(
    source: Path, folder: Path | None, format_: str
) -> tuple[list[Job], list[Path]]:
    """Returns jobs for the pictures below a folder, and what else lies there."""
    # Of `.`, too, a name is needed.
    folder = folder or source.resolve().with_name(source.resolve().name + ".sharp")
    # What was written into the folder by an earlier call is no picture of its own.
    files = [
        path
        for path in sorted(source.rglob("*"))
        if path.is_file()
        and not path.name.startswith(".")
        and not path.resolve().is_relative_to(folder.resolve())
    ]
    found = {path: pictures.is_one(path) for path in files}
    if not any(found.values()):
        raise UserError(f"{source} holds no pictures")
    jobs = [
        Job(path, folder / path.relative_to(source), format=format_)
        for path, is_one in found.items()
        if is_one
    ]
    return jobs, [path for path, is_one in found.items() if not is_one]
