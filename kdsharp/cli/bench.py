"""`kdsharp bench`: measures the speed of networks, each in its own process."""

import argparse
import json
import os
import pathlib

from kdsharp.cli import options
from kdsharp.cli.verbs import Verbs, add_verb


def add(verbs: Verbs) -> None:
    """Adds `kdsharp bench`."""
    verb = add_verb(verbs, "bench", _bench, "measure the speed of networks")
    options.add_weights(verb)
    verb.add_argument(
        "--config",
        nargs="+",
        metavar="CONFIG",
        default=[],
        help="experiments whose networks are measured with random weights",
    )
    verb.add_argument(
        "--size",
        nargs="+",
        metavar="S",
        default=["720p"],
        help="360p, 480p, 720p (default), 1080p, 1440p, 2160p, or WIDTHxHEIGHT",
    )
    verb.add_argument(
        "--batch", metavar="N", type=int, default=1, help="frames per call (default: 1)"
    )
    options.add_threads(verb)
    options.add_device(verb)
    verb.add_argument(
        "--dtype",
        nargs="+",
        metavar="T",
        default=["float32"],
        help="element types: float32 (default), bfloat16, int8",
    )
    verb.add_argument(
        "--backend",
        nargs="+",
        metavar="B",
        help="jax, openvino, onnxruntime, torch, torch-compiled, openvino-defaults, "
        "onnxruntime-defaults, ncnn (default: all, which is all that are installed)",
    )
    verb.add_argument(
        "--pixels",
        metavar="P",
        default="rgb",
        help="input of luma networks: rgb (default), or plane, as in video",
    )
    verb.add_argument(
        "--frames",
        metavar="N",
        type=int,
        default=50,
        help="timed calls of each network (default: %(default)s)",
    )
    verb.add_argument(
        "--seconds",
        metavar="S",
        type=float,
        default=30,
        help="time limit for the calls of the slowest network, which makes five calls "
        "at least (default: %(default)s)",
    )
    verb.add_argument(
        "--out", metavar="DIR", type=pathlib.Path, help="folder for the tables"
    )


def _bench(arguments: argparse.Namespace) -> int:
    # Several processes share one GPU, so none may reserve all of its memory.
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
        device=arguments.device,
        dtypes=arguments.dtype,
        backends=arguments.backend,
        pixels=arguments.pixels,
        frames=arguments.frames,
        seconds=arguments.seconds,
        out=arguments.out,
    )
