"""`kdsharp serve`: serves the web page and an HTTP API."""

import argparse
import pathlib

from kdsharp.cli import options
from kdsharp.cli.verbs import Verbs, add_verb


def add(verbs: Verbs) -> None:
    """Adds `kdsharp serve`."""
    verb = add_verb(verbs, "serve", _serve, "serve the web page and an HTTP API")
    verb.add_argument(
        "--site",
        metavar="DIR",
        type=pathlib.Path,
        help="a site written by kdsharp web build, which computes in the browser "
        "(default: a page whose pictures the server sharpens)",
    )
    options.add_host(verb)
    verb.add_argument(
        "--allow",
        metavar="NAME",
        nargs="+",
        default=[],
        help="additional host names to accept: sharp.example.org, *.example.org, or * "
        "for any (default: only addresses, localhost and this machine's name)",
    )
    verb.add_argument(
        "--proxy",
        metavar="ADDRESS",
        nargs="+",
        default=[],
        help="proxies whose X-Forwarded-Host and X-Forwarded-Proto are trusted: "
        "127.0.0.1, 10.0.0.0/8 (default: none)",
    )
    for name, type_, default, words in (
        ("port", int, 8000, "port to listen on; 0 chooses a free one"),
        ("megabytes", float, 32, "refuse larger files"),
        ("megapixels", float, 64, "refuse larger pictures"),
        ("waiting", int, 8, "pictures in the queue; when it is full, answer 503"),
        ("seconds", float, 60, "time limit for an upload, and for sharpening it"),
        ("connections", int, 256, "maximum number of open connections"),
        ("drain", float, 30, "time limit for requests in progress after SIGTERM"),
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
        help="networks to offer (default: all that are included)",
    )
    options.add_backend(verb)


def _serve(arguments: argparse.Namespace) -> None:
    options.require_server()
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
        models=arguments.models,
        limits=limits.Limits(**{name: getattr(arguments, name) for name in names}),
        options=RestoreOptions(
            backend=arguments.backend,
            threads=arguments.threads,
            device=arguments.device,
        ),
    )
