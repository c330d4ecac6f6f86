"""`kdsharp web` and `kdsharp serve`: the page that sharpens in a browser."""

import argparse
import pathlib

from kdsharp.cli import options
from kdsharp.cli.verbs import Verbs, add_group, add_verb


def add(verbs: Verbs) -> None:
    """Adds `web build` and `serve`."""
    _add_serve(verbs)
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


def _add_serve(verbs: Verbs) -> None:
    verb = add_verb(verbs, "serve", _serve, "serve the page and an API on this machine")
    verb.add_argument(
        "--site",
        metavar="DIR",
        type=pathlib.Path,
        help="what kdsharp web build wrote (default: a page whose pictures this server "
        "sharpens)",
    )
    options.add_host(verb)
    for name, type_, default, words in (
        ("port", int, 8000, "where to listen; 0 takes one that is free"),
        ("megabytes", float, 32, "refuse files of more"),
        ("megapixels", float, 64, "refuse pictures of more"),
        ("waiting", int, 8, "pictures in line; others are told to come again"),
        ("seconds", float, 60, "for a file to arrive, and again to be sharpened"),
        ("connections", int, 256, "open at once"),
    ):
        verb.add_argument(
            f"--{name}",
            metavar="N",
            type=type_,
            default=default,
            help=f"{words} (default: %(default)s)",
        )
    verb.add_argument(
        "--models",
        metavar="NAME",
        nargs="+",
        default=[],
        help="networks on offer (default: all that ship)",
    )
    options.add_backend(verb)


def _serve(arguments: argparse.Namespace) -> None:
    options.need_server()
    from kdsharp import machine
    from kdsharp.web.serving import command, limits

    machine.keep_compiled()
    names = ("megabytes", "megapixels", "waiting", "seconds", "connections")
    command.run(
        arguments.site,
        host=arguments.host,
        port=arguments.port,
        wished=arguments.models,
        limits=limits.Limits(**{name: getattr(arguments, name) for name in names}),
        backend=arguments.backend,
        threads=arguments.threads,
    )


def _build(arguments: argparse.Namespace) -> None:
    from kdsharp.web import build

    build.run(arguments.out, wished=arguments.models, runtime_copy=arguments.runtime)


def _extension(arguments: argparse.Namespace) -> None:
    from kdsharp.web import build_extension

    chosen = {"model": arguments.model} if arguments.model else {}
    build_extension.run(arguments.out, **chosen)
