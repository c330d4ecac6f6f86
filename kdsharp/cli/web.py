"""`kdsharp web`: the page that sharpens in a browser."""

import argparse
import pathlib

from kdsharp.base import optional
from kdsharp.cli.verbs import Verbs, add_group, add_verb


def add(verbs: Verbs) -> None:
    """Adds `kdsharp web` and its verbs."""
    web = add_group(verbs, "web", "sharpen in a browser")
    build = add_verb(web, "build", _build, "write a site that any host serves")
    build.add_argument(
        "out", metavar="OUT", type=pathlib.Path, help="the folder to write"
    )
    build.add_argument(
        "--models",
        metavar="NAME",
        nargs="+",
        default=[],
        help="names that ship, .safetensors files or folders of runs (default: all "
        "that ship)",
    )
    build.add_argument(
        "--runtime",
        metavar="DIR",
        type=pathlib.Path,
        help="a copy of the npm package onnxruntime-web (default: npm brings it)",
    )
    extension = add_verb(
        web, "extension", _extension, "write an extension of Chromium and Firefox"
    )
    extension.add_argument(
        "out", metavar="OUT", type=pathlib.Path, help="the folder; OUT.zip comes beside"
    )
    extension.add_argument(
        "--model", metavar="NAME", help="a network of luma (default: that of video)"
    )


def _need_onnx() -> None:
    optional.require(
        "onnx", "onnxruntime", purpose="a page that computes in the browser"
    )


def _build(arguments: argparse.Namespace) -> None:
    _need_onnx()
    from kdsharp.commands import web

    web.build(arguments.out, wished=arguments.models, runtime_copy=arguments.runtime)


def _extension(arguments: argparse.Namespace) -> None:
    _need_onnx()
    from kdsharp.commands import web

    web.extension(arguments.out, model=arguments.model)
