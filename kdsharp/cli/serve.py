"""`kdsharp serve`: the page and an API, on this machine."""

import argparse
import pathlib

from kdsharp.cli import options
from kdsharp.cli.verbs import Verbs, add_verb


def add(verbs: Verbs) -> None:
    """Adds `kdsharp serve`."""
    verb = add_verb(verbs, "serve", _serve, "serve the page and an API on this machine")
    verb.add_argument(
        "--site",
        metavar="DIR",
        type=pathlib.Path,
        help="what kdsharp web build wrote (default: a page whose pictures this server "
        "sharpens)",
    )
    options.add_host(verb)
    verb.add_argument(
        "--allow",
        metavar="NAME",
        nargs="+",
        default=[],
        help="more host names to answer to: sharp.example.org, *.example.org, or * for "
        "any (default: addresses, localhost and this machine's name)",
    )
    verb.add_argument(
        "--proxy",
        metavar="ADDRESS",
        nargs="+",
        default=[],
        help="proxies whose X-Forwarded-Host and X-Forwarded-Proto are believed: "
        "127.0.0.1, 10.0.0.0/8 (default: none)",
    )
    for name, type_, default, words in (
        ("port", int, 8000, "where to listen; 0 takes one that is free"),
        ("megabytes", float, 32, "refuse files of more"),
        ("megapixels", float, 64, "refuse pictures of more"),
        ("waiting", int, 8, "pictures in line; others are told to come again"),
        ("seconds", float, 60, "for a file to arrive, and again to be sharpened"),
        ("connections", int, 256, "open at once"),
        ("drain", float, 30, "seconds for pictures in progress, once told to stop"),
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
    from kdsharp.base import compilation
    from kdsharp.commands import serve
    from kdsharp.runtime.options import RestoreOptions
    from kdsharp.web.serving import limits

    compilation.enable_cache()
    names = ("megabytes", "megapixels", "waiting", "seconds", "connections", "drain")
    serve.run(
        arguments.site,
        host=arguments.host,
        port=arguments.port,
        allow=arguments.allow,
        proxy=arguments.proxy,
        wished=arguments.models,
        limits=limits.Limits(**{name: getattr(arguments, name) for name in names}),
        options=RestoreOptions(backend=arguments.backend, threads=arguments.threads),
    )
