"""Options and checks that several verbs share."""

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
        help="refuse larger pictures (default: %(default)s)",
    )


def add_backend(verb: argparse.ArgumentParser) -> None:
    """Adds `--backend`, `--threads` and `--device`."""
    verb.add_argument(
        "--backend",
        metavar="B",
        default="auto",
        help="auto (default: the fastest installed), openvino, onnxruntime, jax",
    )
    verb.add_argument(
        "--threads",
        metavar="N",
        type=int,
        default=0,
        help="number of threads (default: one per core)",
    )
    add_device(verb)


def add_device(verb: argparse.ArgumentParser) -> None:
    """Adds `--device`."""
    verb.add_argument(
        "--device",
        metavar="D",
        default="",
        help="cpu, gpu, npu, or auto: a GPU if there is one, otherwise the CPU "
        "(default: cpu; with JAX, its default device)",
    )


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Parses `--size` as (width, height)."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    width, height = (int(found[1]), int(found[2])) if found else (0, 0)
    if min(width, height) < 1:
        raise UserError(f"--size must look like 1280x720, not {text!r}")
    return width, height


def add_host(verb: argparse.ArgumentParser) -> None:
    """Adds `--host`."""
    verb.add_argument(
        "--host",
        metavar="H",
        default="127.0.0.1",
        help="address to listen on; 0.0.0.0 listens on all (default: %(default)s, this "
        "machine only)",
    )


def require_server() -> None:
    """Fails with the extra to install if the server's packages are missing."""
    from kdsharp.base import optional

    optional.require("starlette", "uvicorn", purpose="serving")
