"""`kdsharp bench`: networks timed, each in its own process."""

import argparse
import json
import os
import pathlib

from kdsharp.cli.verbs import Verbs, add_verb


def add(verbs: Verbs) -> None:
    """Adds `kdsharp bench`."""
    verb = add_verb(verbs, "bench", _bench, "time networks, each in its own process")
    verb.add_argument(
        "--weights",
        nargs="+",
        metavar="W",
        default=[],
        help="names that ship, .safetensors files or folders of runs",
    )
    verb.add_argument(
        "--config",
        nargs="+",
        metavar="CONFIG",
        default=[],
        help="experiments, whose networks are timed with random numbers",
    )
    verb.add_argument(
        "--size",
        nargs="+",
        metavar="S",
        default=["720p"],
        help="360p, 480p, 720p (default), 1080p, 1440p, 2160p, or WIDTHxHEIGHT",
    )
    verb.add_argument("--batch", metavar="N", type=int, default=1, help="(default: 1)")
    verb.add_argument(
        "--threads", metavar="N", type=int, default=0, help="cores (default: all)"
    )
    verb.add_argument(
        "--dtype",
        nargs="+",
        metavar="T",
        default=["float32"],
        help="float32 (default), bfloat16, int8",
    )
    verb.add_argument(
        "--backend",
        nargs="+",
        metavar="B",
        help="all (default: those that are installed), jax, openvino, onnxruntime, "
        "torch, torch-compiled, openvino-defaults, onnxruntime-defaults, ncnn",
    )
    verb.add_argument(
        "--pixels",
        metavar="P",
        default="rgb",
        help="what networks of luma are given: rgb (default), plane as video has it",
    )
    verb.add_argument(
        "--frames",
        metavar="N",
        type=int,
        default=50,
        help="calls to time of each (default: %(default)s)",
    )
    verb.add_argument(
        "--seconds",
        metavar="S",
        type=float,
        default=30,
        help="for the slowest's calls, of which there are five at least "
        "(default: %(default)s)",
    )
    verb.add_argument("--out", metavar="DIR", type=pathlib.Path, help="where tables go")


def _bench(arguments: argparse.Namespace) -> int:
    # Several processes share a graphics card: none may take all its memory at once.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    from kdsharp.commands import bench
    from kdsharp.config_files import load_experiment

    configs = {}
    for path in arguments.config:
        config = load_experiment(path)
        configs[config.name] = json.loads(config.model.to_json())
    return bench.run(
        arguments.weights,
        configs,
        sizes=arguments.size,
        batch=arguments.batch,
        threads=arguments.threads,
        dtypes=arguments.dtype,
        backends=arguments.backend,
        pixels=arguments.pixels,
        frames=arguments.frames,
        seconds=arguments.seconds,
        out=arguments.out,
    )
