"""`kdsharp sharpen`: sharpens pictures with a trained network."""

import argparse

from kdsharp.cli import options
from kdsharp.cli.verbs import Verbs, add_verb


def add(verbs: Verbs) -> None:
    """Adds `kdsharp sharpen`."""
    verb = add_verb(verbs, "sharpen", _sharpen, "sharpen pictures")
    verb.add_argument(
        "inputs",
        nargs="+",
        metavar="IN",
        help="pictures, file patterns, folders, or - for standard input",
    )
    verb.add_argument(
        "-o",
        "--out",
        metavar="OUT",
        help="a file, a folder, or - for standard output (default: NAME.sharp.EXT "
        "next to IN; for a folder, the folder IN.sharp)",
    )
    options.add_model(verb)
    options.add_strength(verb)
    options.add_unsharp(verb)
    verb.add_argument(
        "--compare",
        action="store_true",
        help="also write NAME.compare.EXT: before and after, with a seam between",
    )
    verb.add_argument(
        "--format",
        metavar="F",
        default="",
        help="jpg, png, webp, tif, bmp or avif (default: the format of each picture, "
        "or png)",
    )
    verb.add_argument("--overwrite", action="store_true", help="replace existing files")
    options.add_megapixels(verb)
    options.add_backend(verb)
    verb.add_argument(
        "--timing", action="store_true", help="print how long each step took"
    )


def _sharpen(arguments: argparse.Namespace) -> int:
    from kdsharp.commands import sharpen
    from kdsharp.runtime.options import RestoreOptions

    return sharpen.run(
        arguments.inputs,
        RestoreOptions(
            model=arguments.model,
            strength=arguments.strength,
            unsharp=arguments.unsharp,
            compare=arguments.compare,
            backend=arguments.backend,
            threads=arguments.threads,
            device=arguments.device,
        ),
        out=arguments.out,
        overwrite=arguments.overwrite,
        format_=arguments.format,
        megapixels=arguments.megapixels,
        timing=arguments.timing,
    )
