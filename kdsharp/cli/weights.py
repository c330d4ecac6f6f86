"""`kdsharp weights`: what ships, what a card says, weights from PyTorch."""

import argparse
import ast
import pathlib

from kdsharp.cli.verbs import Verbs, add_group, add_verb


def add(verbs: Verbs) -> None:
    """Adds `kdsharp weights` and its verbs."""
    verbs = add_group(
        verbs, "weights", "look at trained networks, import and share them"
    )
    add_verb(verbs, "list", _list, "name the weights that ship")
    info = add_verb(verbs, "info", _info, "print what a card says")
    info.add_argument(
        "weights",
        metavar="NAME|FILE|RUN",
        help="weights that ship, a .safetensors file, or a finished run's folder",
    )
    import_ = add_verb(verbs, "import", _import, "bring weights over from PyTorch")
    import_.add_argument("file", metavar="FILE", help="a .pth or .safetensors file")
    import_.add_argument("out", metavar="OUT", help="the .safetensors file to write")
    import_.add_argument(
        "--arch", required=True, help="swinir, dncnn, unet or vgg16, as published"
    )
    import_.add_argument(
        "--source", metavar="TEXT", default="", help="where FILE came from"
    )
    import_.add_argument(
        "--degradation",
        metavar="SPEC",
        default="",
        help="what it was trained to undo, as bicubic:2",
    )
    import_.add_argument(
        "--set",
        metavar="NAME=NUMBER",
        action="append",
        default=[],
        type=_setting,
        help="an argument that tensors do not tell, as img_range=255",
    )
    import_.add_argument(
        "--overwrite", action="store_true", help="replace OUT where there is one"
    )

    push = add_verb(verbs, "push", _push, "share weights on a hub or in a folder")
    push.add_argument("weights", metavar="NAME|FILE|RUN", help="what to share")
    push.add_argument(
        "target",
        metavar="OWNER/NAME|FOLDER",
        help="a repository of the hub, or a folder that exists or begins with ./ or /",
    )
    push.add_argument(
        "--private", action="store_true", help="a repository that only you can read"
    )
    pull = add_verb(verbs, "pull", _pull, "copy weights from a hub or a folder")
    pull.add_argument("source", metavar="OWNER/NAME|FOLDER", help="where they are")
    pull.add_argument(
        "out", metavar="OUT", type=pathlib.Path, help="the folder to write"
    )
    for verb in (push, pull):
        verb.add_argument(
            "--overwrite", action="store_true", help="replace files that are there"
        )


def _setting(text: str) -> tuple[str, object]:
    """Returns a name and its number, numbers or truth value."""
    name, _, value = text.partition("=")
    try:
        if name.isidentifier():
            return name, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is no NAME=NUMBER, as img_range=255")


def _list(arguments: argparse.Namespace) -> None:
    from kdsharp.commands import weights

    weights.list_shipped()


def _info(arguments: argparse.Namespace) -> None:
    from kdsharp.commands import weights

    weights.info(arguments.weights)


def _import(arguments: argparse.Namespace) -> None:
    from kdsharp.commands import weights

    weights.import_(
        arguments.arch,
        pathlib.Path(arguments.file),
        pathlib.Path(arguments.out),
        source=arguments.source,
        degradation=arguments.degradation,
        settings=dict(arguments.set),
        overwrite=arguments.overwrite,
    )


def _push(arguments: argparse.Namespace) -> None:
    from kdsharp.commands import weights

    weights.push(
        arguments.weights,
        arguments.target,
        private=arguments.private,
        overwrite=arguments.overwrite,
    )


def _pull(arguments: argparse.Namespace) -> None:
    from kdsharp.commands import weights

    weights.pull(arguments.source, arguments.out, overwrite=arguments.overwrite)
