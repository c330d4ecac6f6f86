"""`kdsharp data`: prepare data sets and look at them."""

import argparse
import os
import pathlib
from collections import Counter
from typing import Any

from kdsharp import whole_files
from kdsharp.cli.verbs import Verbs, add_group, add_verb
from kdsharp.config_files import load_experiment
from kdsharp.errors import UserError

# Of what was left out, so much is named; `pictures.json` has the rest.
_NAMED = 10
_OF_CLIPS = ("out", "videos", "count", "seed")


def add(verbs: Verbs) -> None:
    """Adds `kdsharp data` and its verbs."""
    verbs = add_group(verbs, "data", "prepare data sets and look at them")
    prepare = add_verb(
        verbs, "prepare", _prepare, "copy a data set into one that loads fast"
    )
    prepare.add_argument("name", metavar="NAME", help="celeba, helen, gopro or clips")
    prepare.add_argument(
        "--from",
        dest="origin",
        metavar="DIR",
        required=True,
        help="the folder that holds it as its publisher gives it; for clips, a folder "
        "of photographs",
    )
    prepare.add_argument(
        "--processes",
        metavar="N",
        type=int,
        default=len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1,
        help="that check and copy pictures, or encode clips (default: %(default)s, "
        "one a core)",
    )
    prepare.add_argument(
        "--out", metavar="D", help="of clips: the folder for them (default: clips)"
    )
    prepare.add_argument(
        "--videos",
        metavar="DIR",
        help="of clips: a folder of videos, of which two in five clips are then made",
    )
    prepare.add_argument(
        "--count", metavar="N", type=int, help="of clips: how many (default: 10000)"
    )
    prepare.add_argument(
        "--seed", metavar="N", type=int, help="of clips: what decides them (default: 0)"
    )
    info = add_verb(verbs, "info", _info, "say what is prepared, or what to get")
    info.add_argument("name", metavar="NAME", help="celeba, helen or gopro")
    for verb in (prepare, info):
        verb.add_argument(
            "--data-dir",
            metavar="D",
            help="where prepared data lie (default: $TFDS_DATA_DIR, or "
            "~/tensorflow_datasets)",
        )
    preview = add_verb(verbs, "preview", _preview, "show what training would see")
    preview.add_argument(
        "config",
        metavar="CONFIG",
        help="an experiment, such as configs/student.py:full",
    )
    preview.add_argument(
        "--out", metavar="FILE", required=True, help="the picture to write"
    )
    preview.add_argument(
        "--count", metavar="N", type=int, default=6, help="crops (default: 6)"
    )
    preview.add_argument("--source", help="instead of the config's, as folder:photos")
    preview.add_argument("--degradation", help="instead of the config's")


def _prepare(arguments: argparse.Namespace) -> None:
    own = {name: getattr(arguments, name) for name in _OF_CLIPS}
    own = {name: value for name, value in own.items() if value is not None}
    if arguments.name == "clips":
        _prepare_clips(arguments, own)
        return
    if own:
        raise UserError(f"--{next(iter(own))} is for 'kdsharp data prepare clips' only")
    from kdsharp.data import prepared

    held = prepared.prepare(
        arguments.name,
        arguments.origin,
        data_dir=arguments.data_dir,
        processes=arguments.processes,
    )
    print(_summary(arguments.name, held))
    print(f"read it by  tfds:{arguments.name}")


def _prepare_clips(arguments: argparse.Namespace, own: dict[str, Any]) -> None:
    from kdsharp.data.clips import preparing

    if arguments.data_dir is not None:
        raise UserError("--data-dir is not for clips: name their folder by --out")
    out = own.pop("out", "clips")
    held = preparing.prepare(
        pathlib.Path(arguments.origin),
        pathlib.Path(out),
        processes=arguments.processes,
        **own,
    )
    lines = [f"{'clips':11} {held.path}, {held.size / 1e6:,.1f} MB"]
    for split in ("train", "valid", "test"):
        lines.append(f"{split:11} {held.clips.get(split, 0):,}")
    named = [f"{count:,} {name}" for name, count in sorted(held.codecs.items())]
    lines.append(f"{'codecs':11} {', '.join(named)}")
    lines.append(f"{'refused':11} {sum(held.refused.values()):,}")
    most = sorted(held.refused.items(), key=lambda item: -item[1])
    lines += [f"{'':11} - {count:,} x {reason}" for reason, count in most[:_NAMED]]
    print("\n".join(lines))
    print(f"read them by  clips:{out}")


def _info(arguments: argparse.Namespace) -> None:
    from kdsharp.data import builders, prepared

    builder = builders.load(arguments.name)
    held = prepared.contents(arguments.name, arguments.data_dir)
    print(_summary(arguments.name, held))
    print(f"homepage    {builder.HOMEPAGE}")
    print(f"licence     {builder.LICENCE}")


def _summary(name: str, held) -> str:
    """Returns what there is, and what is missing and why."""
    counts = Counter(split for split, _ in held.places.values())
    lines = [f"{name:11} {held.path}"]
    for split in dict.fromkeys([*counts, *held.left_out]):
        missing = held.left_out.get(split, [])
        words = f"{counts[split]:,} pictures"
        if missing:
            words += f", {len(missing):,} left out"
        lines.append(f"{split:11} {words}")
        lines += [f"{'':11} - {key}: {reason}" for key, reason in missing[:_NAMED]]
        if len(missing) > _NAMED:
            lines.append(f"{'':11} - and {len(missing) - _NAMED:,} more")
    if held.sizes:
        ((height, width), _), *others = Counter(held.sizes.values()).most_common()
        plural = "s" if len(others) > 1 else ""
        several = f", and {len(others):,} other size{plural}" if others else ""
        lines.append(f"{'size':11} {width}x{height}{several}")
    return "\n".join(lines)


def _preview(arguments: argparse.Namespace) -> None:
    out = pathlib.Path(arguments.out)
    from kdsharp.data import pictures

    pictures.check_name(out)
    if arguments.count < 1:
        raise UserError(f"--count is {arguments.count}: it must be at least 1.")
    config = load_experiment(arguments.config)
    from kdsharp.data import preview, sources

    source = sources.create(
        arguments.source or config.data.source, "train", seed=config.seed
    )
    if arguments.degradation:
        config.degradation = arguments.degradation
    rows = preview.rows(config, source, arguments.count)
    sheet = preview.sheet(rows, scale=preview.scale_of(config))
    with whole_files.whole(out) as unfinished:
        sheet.save(unfinished)
    print(out)
