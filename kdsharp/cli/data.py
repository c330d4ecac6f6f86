"""`kdsharp data`: prepares data sets and shows them."""

import argparse
import pathlib

from kdsharp.base import cores
from kdsharp.cli.verbs import Verbs, add_group, add_verb

_CLIP_OPTIONS = ("out", "videos", "count", "seed")


def add(verbs: Verbs) -> None:
    """Adds `kdsharp data` and its verbs."""
    verbs = add_group(verbs, "data", "prepare data sets and look at them")
    prepare = add_verb(
        verbs, "prepare", _prepare, "convert a data set for fast loading"
    )
    prepare.add_argument("name", metavar="NAME", help="celeba, helen, gopro or clips")
    prepare.add_argument(
        "--from",
        dest="origin",
        metavar="DIR",
        required=True,
        help="the folder of the data set as published; for clips, a folder of "
        "photographs",
    )
    prepare.add_argument(
        "--processes",
        metavar="N",
        type=int,
        default=cores.count(),
        help="worker processes (default: %(default)s, one per core)",
    )
    prepare.add_argument(
        "--out", metavar="D", help="clips: the output folder (default: clips)"
    )
    prepare.add_argument(
        "--videos",
        metavar="DIR",
        help="clips: a folder of videos, which two in five clips are then made from",
    )
    prepare.add_argument(
        "--count", metavar="N", type=int, help="clips: how many (default: 10000)"
    )
    prepare.add_argument(
        "--seed", metavar="N", type=int, help="clips: random seed (default: 0)"
    )
    info = add_verb(
        verbs, "info", _info, "describe a data set: what is prepared, where to get it"
    )
    info.add_argument("name", metavar="NAME", help="celeba, helen or gopro")
    for verb in (prepare, info):
        verb.add_argument(
            "--data-dir",
            metavar="D",
            help="folder of prepared data (default: $TFDS_DATA_DIR, or "
            "~/tensorflow_datasets)",
        )
    preview = add_verb(
        verbs, "preview", _preview, "draw training pairs as a config makes them"
    )
    preview.add_argument(
        "config",
        metavar="CONFIG",
        help="an experiment, such as configs/student.py:full",
    )
    preview.add_argument(
        "--out", metavar="FILE", required=True, help="the picture to write"
    )
    preview.add_argument(
        "--count", metavar="N", type=int, default=6, help="number of crops (default: 6)"
    )
    preview.add_argument(
        "--source", help="another source than the config's, such as folder:photos"
    )
    preview.add_argument(
        "--degradation", help="another degradation than the config's, such as jpeg:30"
    )


def _prepare(arguments: argparse.Namespace) -> None:
    from kdsharp.commands import data

    clip_options = {name: getattr(arguments, name) for name in _CLIP_OPTIONS}
    data.prepare(
        arguments.name,
        arguments.origin,
        data_dir=arguments.data_dir,
        processes=arguments.processes,
        clip_options={
            name: value for name, value in clip_options.items() if value is not None
        },
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
