"""`kdsharp data`: prepare data sets and look at them."""

import argparse
import pathlib

from kdsharp.base import cores
from kdsharp.cli.verbs import Verbs, add_group, add_verb

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
        default=cores.count(),
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
    from kdsharp.commands import data

    of_clips = {name: getattr(arguments, name) for name in _OF_CLIPS}
    data.prepare(
        arguments.name,
        arguments.origin,
        data_dir=arguments.data_dir,
        processes=arguments.processes,
        of_clips={name: value for name, value in of_clips.items() if value is not None},
    )


def _info(arguments: argparse.Namespace) -> None:
    from kdsharp.commands import data

    data.info(arguments.name, arguments.data_dir)


def _preview(arguments: argparse.Namespace) -> None:
    from kdsharp.commands import data

    data.preview(
        arguments.config,
        pathlib.Path(arguments.out),
        count=arguments.count,
        source=arguments.source,
        degradation=arguments.degradation,
    )
