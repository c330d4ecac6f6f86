"""Which files are meant, and where what is made of them goes."""

import dataclasses
import glob
from collections.abc import Iterator, Sequence
from pathlib import Path

from kdsharp.errors import UserError
from kdsharp.media import pictures

STREAM = "-"


@dataclasses.dataclass(frozen=True)
class Job:
    """One picture: where it is, and where it goes.

    None is standard input or output. Unless `exact`, the picture's format decides how
    the target's name ends.
    """

    source: Path | None
    target: Path | None
    exact: bool = False

    @property
    def name(self) -> str:
        return str(self.source or "standard input")

    def target_for(self, format_: str) -> Path | None:
        """Returns where a picture that came in that format goes."""
        if self.exact or self.target is None:
            return self.target
        kept = pictures.kept_format(format_)
        return self.target.with_suffix(pictures.ending_for(self.target, kept))


def plan(inputs: Sequence[str], out: str | None) -> list[Job]:
    """Returns a job for every picture that files, patterns and folders name.

    Without `out`, a file's stands beside it as `NAME.sharp.EXT`, a folder's in a folder
    beside it, `NAME.sharp`, that keeps its tree.
    """
    if STREAM in inputs or out == STREAM:
        return [_stream(inputs, out)]
    sources = [path for given in inputs for path in _expand(given)]
    if out is not None and _is_one_file(sources, out):
        pictures.format_of(Path(out))
        return [Job(sources[0], Path(out), exact=True)]
    folder = None if out is None else Path(out)
    jobs = [job for source in sources for job in _jobs(source, folder)]
    return list(dict.fromkeys(jobs))


def comparison(target: Path) -> Path:
    """Returns where before and after go, side by side."""
    stem = target.stem.removesuffix(".sharp")
    return target.with_name(f"{stem}.compare{target.suffix}")


def _stream(inputs: Sequence[str], out: str | None) -> Job:
    if len(inputs) != 1:
        raise UserError("standard input and output hold one picture: give one")
    source = None if inputs[0] == STREAM else Path(inputs[0])
    if source is not None and source.is_dir():
        raise UserError(f"{source} is a folder: standard output holds one picture")
    if out in (None, STREAM):
        return Job(source, None)
    target = Path(out)
    if target.is_dir():
        raise UserError(f"{target} is a folder: name a file for standard input")
    pictures.format_of(target)
    return Job(source, target, exact=True)


def _expand(given: str) -> list[Path]:
    path = Path(given)
    if path.exists() or not glob.has_magic(given):
        return [path]
    found = sorted(map(Path, glob.glob(given, recursive=True)))
    if not found:
        raise UserError(f"{given}: nothing is called so")
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


def _jobs(source: Path, folder: Path | None) -> Iterator[Job]:
    if not source.is_dir():
        if folder is None:
            target = source.with_name(f"{source.stem}.sharp{source.suffix}")
        else:
            target = folder / source.name
        yield Job(source, target)
        return
    # Of `.`, too, a name is needed.
    folder = folder or source.resolve().with_name(source.resolve().name + ".sharp")
    # What was written into the folder by an earlier call is no picture of its own.
    found = [
        path
        for path in sorted(source.rglob("*"))
        if pictures.is_named_like_one(path)
        and path.is_file()
        and not path.name.startswith(".")
        and not path.resolve().is_relative_to(folder.resolve())
    ]
    if not found:
        raise UserError(f"{source} holds no pictures")
    for path in found:
        yield Job(path, folder / path.relative_to(source))
