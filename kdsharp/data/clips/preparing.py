"""Writes clips to a folder, in several processes; existing shards are kept."""

import collections
import dataclasses
import functools
import logging
import pathlib
import re
from collections.abc import Mapping

from tqdm import tqdm

from kdsharp.data import decoding, folder, workers
from kdsharp.data.clips import codecs, footage, rebuilding, recipes, shards
from kdsharp.errors import UserError

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Summary:
    """Statistics of a folder of prepared clips."""

    path: pathlib.Path
    clips: Mapping[str, int]
    """Number of clips by split."""

    codecs: Mapping[str, int]
    """Number of clips by codec."""

    size: int
    """Total bytes of the streams."""

    refused: Mapping[str, int]
    """Number of clips that could not be encoded, by reason."""


def prepare(
    origin: pathlib.Path,
    out: pathlib.Path,
    *,
    videos: pathlib.Path | None = None,
    count: int = 10_000,
    seed: int = 0,
    processes: int = 1,
) -> Summary:
    """Writes `count` clips of the photographs below `origin` to the folder `out`.

    With a folder of `videos`, some clips show frames of these.
    """
    codecs.require_av()
    for name, value in (("count", count), ("processes", processes)):
        if value < 1:
            raise UserError(f"{name} must be at least 1, not {value}")
    origin = pathlib.Path(origin).expanduser().absolute()
    out = pathlib.Path(out).expanduser().absolute()
    index = shards.Index(seed, count, str(origin), _usable(origin))
    if videos is not None:
        videos = pathlib.Path(videos).expanduser().absolute()
        index = dataclasses.replace(
            index, videos=str(videos), video_files=_usable_videos(videos)
        )
    if out.is_file():
        raise UserError(f"{out} is a file; name a folder for the clips")
    before = shards.read_index(out)
    if before is not None:
        _check_same(out, before, index)
    elif out.is_dir() and any(path.name != "lock" for path in out.iterdir()):
        raise UserError(f"the folder {out} holds other files; name an empty one")
    with workers.exclusive_folder(out):
        index.write(out)
        _remove_stale(out, index)
        _write_missing(out, index, processes)
    return _summary(out, index)


def _usable(origin: pathlib.Path) -> dict[str, int]:
    """Finds the photographs that are large enough: file sizes by relative name."""
    names = folder.find_pictures(origin)
    usable = {}
    for name in tqdm(names, desc="Reading picture headers", delay=1, leave=False):
        try:
            height, width = decoding.size(origin / name)
        except decoding.BadPictureError as error:
            logger.warning("skipping %s: %s", origin / name, error)
            continue
        if height < recipes.HEIGHT or width < recipes.WIDTH:
            logger.warning(
                "skipping %s: %dx%d is smaller than a clip",
                origin / name,
                width,
                height,
            )
            continue
        usable[name] = (origin / name).stat().st_size
    if not usable:
        raise UserError(
            f"the folder {origin} holds no photographs of at least "
            f"{recipes.WIDTH}x{recipes.HEIGHT} pixels"
        )
    return usable


def _usable_videos(videos: pathlib.Path) -> dict[str, int]:
    usable = footage.find(videos)
    if not usable:
        width, height = (
            round(recipes.MIN_DOWNSCALE * side)
            for side in (recipes.WIDTH, recipes.HEIGHT)
        )
        raise UserError(
            f"the folder {videos} holds no videos of at least {width}x{height} pixels "
            "and two seconds"
        )
    return usable


def _check_same(out: pathlib.Path, saved: shards.Index, index: shards.Index) -> None:
    """Raises an error if the folder holds clips of other settings or originals."""
    if saved.seed != index.seed:
        raise UserError(
            f"the clips in {out} have seed {saved.seed}, not {index.seed}; name "
            "another folder"
        )
    if saved.count > index.count:
        raise UserError(
            f"the folder {out} is for {saved.count} clips, more than {index.count}; "
            "name another folder"
        )
    for kind, old, new in (
        ("photographs", saved.files, index.files),
        ("videos", saved.video_files, index.video_files),
    ):
        differing = sorted(
            n for n in old.keys() | new.keys() if old.get(n) != new.get(n)
        )
        if differing:
            raise UserError(
                f"the clips in {out} were made from other {kind} (such as "
                f"{differing[0]}); name another folder"
            )


def _remove_stale(out: pathlib.Path, index: shards.Index) -> None:
    """Removes unfinished files, and the last shard of a smaller folder."""
    names = set(index.names())
    for path in out.glob(".unfinished-*"):
        path.unlink()
    for path in out.iterdir():
        if re.fullmatch(r"\d+-\d+", path.stem) and path.stem not in names:
            path.unlink()


def _write_missing(out: pathlib.Path, index: shards.Index, processes: int) -> None:
    missing = [name for name in index.names() if not shards.is_complete(out, name)]
    jobs = [_Job(out, name) for name in missing]
    done = index.count - sum(job.last - job.first + 1 for job in jobs)
    with tqdm(
        total=index.count, initial=done, desc="Encoding", unit="clip", leave=False
    ) as bar:
        for number in workers.run(_write, jobs, processes):
            bar.update(number)


@dataclasses.dataclass(frozen=True)
class _Job:
    """A shard to write."""

    out: pathlib.Path
    name: str

    @property
    def first(self) -> int:
        return int(self.name.partition("-")[0])

    @property
    def last(self) -> int:
        return int(self.name.partition("-")[2])


@functools.lru_cache(maxsize=1)
def _opened(out: pathlib.Path) -> tuple[shards.Index, rebuilding.OriginalFiles]:
    """The index and originals of a folder, cached between shards."""
    index = shards.read_index(out)
    assert index is not None  # It is written before any shard.
    return index, rebuilding.OriginalFiles(index.photographs, index.videos)


def _write(job: _Job) -> int:
    index, originals = _opened(job.out)
    clips, refused = [], []
    for number in range(job.first, job.last + 1):
        recipe = recipes.draw(
            index.seed, number, list(index.files), list(index.video_files)
        )
        try:
            clips.append((recipe, _stream(recipe, originals)))
        except (decoding.BadPictureError, codecs.RefusedError) as error:
            refused.append((number, str(error)))
    shards.write(job.out, job.name, clips, refused)
    return job.last - job.first + 1


def _stream(recipe: recipes.Recipe, originals: rebuilding.OriginalFiles) -> bytes:
    stream = rebuilding.encode(recipe, originals)
    if stream and len(codecs.decode(stream)) < recipes.FRAMES // 2:
        name = recipe.codec["name"]
        raise codecs.RefusedError(f"{name}: most frames were lost")
    return stream


def _summary(out: pathlib.Path, index: shards.Index) -> Summary:
    counts = {name: collections.Counter() for name in ("splits", "codecs", "refused")}
    size = 0
    for name in index.names():
        shard = shards.read(out, name)
        counts["splits"].update(entry.recipe.split for entry in shard.entries)
        counts["codecs"].update(e.recipe.codec["name"] for e in shard.entries)
        counts["refused"].update(reason for _, reason in shard.refused)
        size += sum(entry.size for entry in shard.entries)
    return Summary(out, counts["splits"], counts["codecs"], size, counts["refused"])
