"""`kdsharp web`: builds the web page and the browser extension."""

import argparse
import pathlib

from kdsharp.base import optional
from kdsharp.cli.verbs import Verbs, add_group, add_verb


def add(verbs: Verbs) -> None:
    """Adds `kdsharp web` and its verbs."""
    web = add_group(verbs, "web", "build a web page or extension that sharpens locally")
    build = add_verb(web, "build", _build, "write a static site")
    build.add_argument(
        "out", metavar="OUT", type=pathlib.Path, help="the folder to write"
    )
    build.add_argument(
        "--models",
        metavar="NAME",
        nargs="+",
        default=[],
        help="included networks, .safetensors files or folders of runs (default: all "
        "that are included)",
    )
    build.add_argument(
        "--runtime",
        metavar="DIR",
        type=pathlib.Path,
        help="a copy of the npm package onnxruntime-web (default: download with npm)",
    )
    extension = add_verb(
        web, "extension", _extension, "write an extension for Chromium and Firefox"
    )
    extension.add_argument(
        "out",
        metavar="OUT",
        type=pathlib.Path,
        help="the folder to write; OUT.zip is written next to it",
    )
    extension.add_argument(
        "--model", metavar="NAME", help="a luma network (default: that for video)"
    )


def _require_onnx() -> None:
    optional.require(
        "onnx", "onnxruntime", purpose="a page that computes in the browser"
    )


def _build(arguments: argparse.Namespace) -> None:
    _require_onnx()
    from kdsharp.commands import web

    web.build(arguments.out, models=arguments.models, runtime_copy=arguments.runtime)


def _extension(arguments: argparse.Namespace) -> None:
    _require_onnx()
    from kdsharp.commands import web

    web.extension(arguments.out, model=arguments.model)
