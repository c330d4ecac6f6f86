"""The verb that takes networks to other runtimes."""

import argparse
import pathlib

from kdsharp.cli.verbs import Verbs, add_verb


def add(verbs: Verbs) -> None:
    """Adds `export`."""
    verb = add_verb(verbs, "export", _export, "write a network for another runtime")
    verb.add_argument(
        "weights",
        metavar="NAME",
        help="a name that ships, a .safetensors file or a run's folder",
    )
    verb.add_argument(
        "-o",
        "--out",
        metavar="OUT",
        type=pathlib.Path,
        help="the file to write (default: by the network's name)",
    )
    verb.add_argument(
        "--format",
        metavar="F",
        default="onnx",
        help="onnx (default), openvino, stablehlo, glsl (for mpv, libplacebo)",
    )
    verb.add_argument(
        "--interface",
        metavar="I",
        default="float",
        help="float (default): pixels in [0, 1]; uint8: from 0 to 255",
    )
    verb.add_argument(
        "--range",
        metavar="R",
        dest="levels",
        default="studio",
        help="of the planes that a shader is for: studio (default), full",
    )
    verb.add_argument(
        "--strength",
        metavar="S",
        type=float,
        default=1.0,
        help="of a shader, from 0 to 1.5 (default: 1)",
    )
    precision = verb.add_mutually_exclusive_group()
    for dtype, words in (
        ("int8", "convolutions in 8 bits, the loss told"),
        ("bfloat16", "weights stored in bfloat16, the loss told"),
        ("float16", "the network in float16, the loss told"),
    ):
        precision.add_argument(
            f"--{dtype}",
            dest="dtype",
            action="store_const",
            const=dtype,
            default="float32",
            help=words,
        )
    verb.add_argument(
        "--calibrate",
        metavar="DIR",
        type=pathlib.Path,
        help="sharp pictures for --int8, blurred here (default: generated ones)",
    )


def _export(arguments: argparse.Namespace) -> None:
    from kdsharp.base import compilation, optional

    optional.require("onnx", purpose="exporting")
    from kdsharp.commands import export

    compilation.enable_cache()
    export.run(
        arguments.weights,
        arguments.out,
        format_=arguments.format,
        interface=arguments.interface,
        dtype=arguments.dtype,
        calibrate=arguments.calibrate,
        levels=arguments.levels,
        strength=arguments.strength,
    )
