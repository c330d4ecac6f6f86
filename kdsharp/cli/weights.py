"""`kdsharp weights`: what ships, what a card says, weights from PyTorch."""

import argparse
import ast
import pathlib

from kdsharp.cli.verbs import Verbs, add_group, add_verb


def add(verbs: Verbs) -> None:
    """Adds `kdsharp weights` and its verbs."""
    verbs = add_group(verbs, "weights", "look at trained networks, and import them")
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
