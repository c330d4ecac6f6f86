"""`kdsharp weights`: lists, describes, imports and shares trained weights."""

import argparse
import ast
import pathlib

from kdsharp.cli.verbs import Verbs, add_group, add_verb


def add(verbs: Verbs) -> None:
    """Adds `kdsharp weights` and its verbs."""
    verbs = add_group(
        verbs, "weights", "list, describe, import and share trained weights"
    )
    add_verb(verbs, "list", _list, "list the included weights")
    info = add_verb(verbs, "info", _info, "print the card of a network")
    info.add_argument(
        "weights",
        metavar="NAME|FILE|RUN",
        help="an included network, a .safetensors file, or the folder of a finished "
        "run",
    )
    import_ = add_verb(verbs, "import", _import, "convert weights from PyTorch")
    import_.add_argument("file", metavar="FILE", help="a .pth or .safetensors file")
    import_.add_argument("out", metavar="OUT", help="the .safetensors file to write")
    import_.add_argument(
        "--arch", required=True, help="architecture: swinir, dncnn, unet or vgg16"
    )
    import_.add_argument(
        "--source",
        metavar="TEXT",
        default="",
        help="where FILE came from, for the card",
    )
    import_.add_argument(
        "--degradation",
        metavar="SPEC",
        default="",
        help="the degradation it was trained for, such as bicubic:2",
    )
    import_.add_argument(
        "--set",
        metavar="NAME=NUMBER",
        action="append",
        default=[],
        type=_setting,
        help="an argument of the network that the tensors do not tell, such as "
        "img_range=255",
    )
    import_.add_argument(
        "--overwrite", action="store_true", help="replace OUT if it exists"
    )

    push = add_verb(verbs, "push", _push, "upload weights to a hub, or to a folder")
    push.add_argument("weights", metavar="NAME|FILE|RUN", help="the weights to upload")
    push.add_argument(
        "target",
        metavar="OWNER/NAME|FOLDER",
        help="a repository on the hub, or a folder that exists or begins with ./ or /",
    )
    push.add_argument(
        "--private", action="store_true", help="create a private repository"
    )
    pull = add_verb(verbs, "pull", _pull, "download weights from a hub or a folder")
    pull.add_argument(
        "source",
        metavar="OWNER/NAME|FOLDER",
        help="a repository on the hub, or a folder",
    )
    pull.add_argument(
        "out", metavar="OUT", type=pathlib.Path, help="the folder to write"
    )
    for verb in (push, pull):
        verb.add_argument(
            "--overwrite", action="store_true", help="replace existing files"
        )


def _setting(text: str) -> tuple[str, object]:
    """Parses NAME=NUMBER, where NUMBER is a Python literal."""
    name, _, value = text.partition("=")
    try:
        if name.isidentifier():
            return name, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        pass
    raise argparse.ArgumentTypeError(
        f"expected NAME=NUMBER (img_range=255), not {text!r}"
    )


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
