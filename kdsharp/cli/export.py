"""`kdsharp export`: writes a network for another runtime."""

import argparse
import pathlib

from kdsharp.cli.verbs import Verbs, add_verb


def add(verbs: Verbs) -> None:
    """Adds `kdsharp export`."""
    verb = add_verb(verbs, "export", _export, "write a network for another runtime")
    verb.add_argument(
        "weights",
        metavar="NAME",
        help="an included network, a .safetensors file, or the folder of a run",
    )
    verb.add_argument(
        "-o",
        "--out",
        metavar="OUT",
        type=pathlib.Path,
        help="the file to write (default: named after the network)",
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
        help="pixels in and out: float (default), in [0, 1]; uint8, from 0 to 255",
    )
    verb.add_argument(
        "--range",
        metavar="R",
        dest="levels",
        default="studio",
        help="shader: luma range of the video, studio (default: 16 to 235) or full",
    )
    verb.add_argument(
        "--strength",
        metavar="S",
        type=float,
        default=1.0,
        help="shader: strength of the correction, from 0 to 1.5 (default: 1)",
    )
    verb.add_argument(
        "--like",
        metavar="FILE",
        type=pathlib.Path,
        help="shader: picture of a typical frame, for networks with a context",
    )
    precision = verb.add_mutually_exclusive_group()
    for dtype, words in (
        ("int8", "quantise convolutions to 8 bits, and report the loss"),
        ("bfloat16", "store weights in bfloat16, and report the loss"),
        ("float16", "convert the network to float16, and report the loss"),
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
        help="sharp pictures to calibrate --int8 with, which are degraded as the card "
        "says (default: generated pictures)",
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
        like=arguments.like,
    )
