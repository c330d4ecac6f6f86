"""Resolves the inputs of a command to files, and each to its output path."""

import dataclasses
import glob
from collections.abc import Sequence
from pathlib import Path

from kdsharp.errors import UserError
from kdsharp.media import pictures

STREAM = "-"


@dataclasses.dataclass(frozen=True)
class Job:
    """A picture with its input and output path.

    None stands for standard input or output. Unless the target is `exact`, its
    extension follows `format` or, if that is empty, the format of the picture.
    """

    source: Path | None
    target: Path | None
    exact: bool = False
    format: str = ""

    @property
    def name(self) -> str:
        return str(self.source or "standard input")

    def target_for(self, format_: str) -> Path | None:
        """The output path of a picture that was read in that format."""
        if self.exact or self.target is None:
            return self.target
        kept = self.format_for(format_)
        return self.target.with_suffix(pictures.extension_for(self.target, kept))

    def format_for(self, format_: str) -> str:
        """The format to write a picture in that was read in that format."""
        return self.format or pictures.output_format(format_)


@dataclasses.dataclass(frozen=True)
class Plan:
    """The jobs, and the files in folders that are not pictures."""

    jobs: list[Job]
    skipped: list[Path]


def plan(inputs: Sequence[str], out: str | None, format_: str = "") -> Plan:
    """Makes a job for each picture that the files, patterns and folders stand for.

    Without `out`, a file is written next to its source as `NAME.sharp.EXT`, and a
    folder to `NAME.sharp` next to it, with its subfolders.
    """
    if STREAM in inputs or out == STREAM:
        return Plan([_stream(inputs, out, format_)], [])
    sources = [path for given in inputs for path in _expand(given)]
    if out is not None and _is_picture_file(sources, out):
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
    """The path of the before-and-after picture."""
    stem = target.stem.removesuffix(".sharp")
    return target.with_name(f"{stem}.compare{target.suffix}")


def _stream(inputs: Sequence[str], out: str | None, format_: str) -> Job:
    if len(inputs) != 1:
        raise UserError("standard input and output hold one picture: give only one")
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
    """Checks that the format fits the given file name."""
    if format_ not in ("", pictures.format_of(target)):
        raise UserError(
            f"{target} does not fit --format {format_}: leave out one of them"
        )
    return target


def _expand(given: str) -> list[Path]:
    path = Path(given)
    if path.exists() or not glob.has_magic(given):
        return [path]
    found = sorted(map(Path, glob.glob(given, recursive=True)))
    if not found:
        raise UserError(f"no files match {given}")
    return found


def _is_picture_file(sources: Sequence[Path], out: str) -> bool:
    target = Path(out)
    if out.endswith("/") or target.is_dir() or not target.suffix:
        return False
    if len(sources) == 1 and not sources[0].is_dir():
        return True
    if target.suffix.lower() in pictures.EXTENSIONS:
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
    """Makes jobs for the pictures in a folder; also returns all other files."""
    # Resolve first, because `.` has no name.
    folder = folder or source.resolve().with_name(source.resolve().name + ".sharp")
    # Skip the outputs of an earlier run.
    files = [
        path
        for path in sorted(source.rglob("*"))
        if path.is_file()
        and not path.name.startswith(".")
        and not path.resolve().is_relative_to(folder.resolve())
    ]
    found = {path: pictures.is_picture(path) for path in files}
    if not any(found.values()):
        raise UserError(f"{source} holds no pictures")
    jobs = [
        Job(path, folder / path.relative_to(source), format=format_)
        for path, is_picture in found.items()
        if is_picture
    ]
    return jobs, [path for path, is_picture in found.items() if not is_picture]
