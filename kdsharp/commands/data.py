"""`kdsharp data`: prepares, describes and previews data sets."""

import pathlib
from collections import Counter
from typing import Any

from kdsharp.base import atomic_files
from kdsharp.config_files import load_experiment
from kdsharp.data import decoding
from kdsharp.errors import UserError

# How many pictures that were left out are named; `pictures.json` lists all.
_MAX_NAMED = 10


def prepare(
    name: str,
    origin: str,
    *,
    data_dir: str | None,
    processes: int,
    clip_options: dict[str, Any],
) -> None:
    """Converts a data set for fast loading, and prints a summary of it.

    `clip_options` are the options given for clips: out, videos, count, seed.
    """
    if name == "clips":
        _prepare_clips(origin, data_dir, processes, dict(clip_options))
        return
    if clip_options:
        raise UserError(
            f"--{next(iter(clip_options))} is for 'kdsharp data prepare clips' only"
        )
    from kdsharp.data import prepared

    held = prepared.prepare(name, origin, data_dir=data_dir, processes=processes)
    print(_summary(name, held))
    print(f"source      tfds:{name}")


def _prepare_clips(
    origin: str, data_dir: str | None, processes: int, options: dict[str, Any]
) -> None:
    from kdsharp.data.clips import preparing

    if data_dir is not None:
        raise UserError("--data-dir is not for clips: give their folder with --out")
    out = options.pop("out", "clips")
    held = preparing.prepare(
        pathlib.Path(origin), pathlib.Path(out), processes=processes, **options
    )
    lines = [f"{'clips':11} {held.path}, {held.size / 1e6:,.1f} MB"]
    for split in ("train", "valid", "test"):
        lines.append(f"{split:11} {held.clips.get(split, 0):,}")
    named = [f"{count:,} {name}" for name, count in sorted(held.codecs.items())]
    lines.append(f"{'codecs':11} {', '.join(named)}")
    lines.append(f"{'refused':11} {sum(held.refused.values()):,}")
    most = sorted(held.refused.items(), key=lambda item: -item[1])
    lines += [f"{'':11} - {count:,} x {reason}" for reason, count in most[:_MAX_NAMED]]
    print("\n".join(lines))
    print(f"{'source':11} clips:{out}")


def info(name: str, data_dir: str | None) -> None:
    """Prints what is prepared of a data set, and where to get it."""
    from kdsharp.data import builders, prepared

    builder = builders.load(name)
    held = prepared.contents(name, data_dir)
    print(_summary(name, held))
    print(f"homepage    {builder.HOMEPAGE}")
    print(f"licence     {builder.LICENCE}")


def preview(
    config_file: str,
    out: pathlib.Path,
    *,
    count: int,
    source: str | None,
    degradation: str | None,
) -> None:
    """Draws training pairs of a config to a picture."""
    decoding.check_name(out)
    if count < 1:
        raise UserError(f"--count must be at least 1, not {count}")
    config = load_experiment(config_file)
    from kdsharp.data import preview as previews
    from kdsharp.data import sources

    pictures = sources.create(
        source or config.data.source,
        "train",
        seed=config.seed,
        min_side=config.data.patch_size,
    )
    if degradation:
        config.degradation = degradation
    rows = previews.rows(config, pictures, count)
    sheet = previews.sheet(rows, scale=previews.scale_of(config))
    with atomic_files.atomic_write(out) as unfinished:
        sheet.save(unfinished)
    print(out)


def _summary(name: str, held) -> str:
    """Describes a prepared data set: pictures per split, and those left out and why."""
    counts = Counter(split for split, _ in held.places.values())
    lines = [f"{name:11} {held.path}"]
    for split in dict.fromkeys([*counts, *held.left_out]):
        missing = held.left_out.get(split, [])
        words = f"{counts[split]:,} pictures"
        if missing:
            words += f", {len(missing):,} left out"
        lines.append(f"{split:11} {words}")
        lines += [f"{'':11} - {key}: {reason}" for key, reason in missing[:_MAX_NAMED]]
        if len(missing) > _MAX_NAMED:
            lines.append(f"{'':11} - and {len(missing) - _MAX_NAMED:,} more")
    if held.sizes:
        ((height, width), _), *others = Counter(held.sizes.values()).most_common()
        plural = "s" if len(others) > 1 else ""
        several = f", and {len(others):,} other size{plural}" if others else ""
        lines.append(f"{'size':11} {width}x{height}{several}")
    return "\n".join(lines)
