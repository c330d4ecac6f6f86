"""What several verbs ask for alike, and need alike."""

import argparse
import re

from kdsharp.errors import UserError


def add_megapixels(verb: argparse.ArgumentParser) -> None:
    """Adds `--megapixels`, for verbs that write pictures to files."""
    verb.add_argument(
        "--megapixels",
        metavar="N",
        type=float,
        default=250,
        help="refuse pictures of more (default: %(default)s)",
    )


def add_backend(verb: argparse.ArgumentParser) -> None:
    """Adds `--backend` and `--threads`."""
    verb.add_argument(
        "--backend",
        metavar="B",
        default="auto",
        help="auto (default: the fastest installed), openvino, onnxruntime, jax",
    )
    verb.add_argument(
        "--threads", metavar="N", type=int, default=0, help="cores (default: all)"
    )


def pixels(text: str | None) -> tuple[int, int] | None:
    """The width and height that `--size` gives."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    if not found or min(size := tuple(map(int, found.groups()))) < 1:
        raise UserError(f"--size {text!r} is no size: give it as 1280x720")
    return size


def add_host(verb: argparse.ArgumentParser) -> None:
    """Adds `--host`."""
    verb.add_argument(
        "--host",
        metavar="H",
        default="127.0.0.1",
        help="where to listen; 0.0.0.0 is everywhere (default: this machine alone)",
    )


def need_server() -> None:
    """Says what to install where there is nothing to serve by."""
    from kdsharp.base import optional

    optional.require("starlette", "uvicorn", purpose="serving")
