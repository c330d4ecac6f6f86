"""Options and checks that several verbs share."""

import argparse
import re

from kdsharp.errors import UserError


def add_model(verb: argparse.ArgumentParser, *, default: str | None = "") -> None:
    """Adds `--model`, for verbs that restore by one network."""
    verb.add_argument(
        "--model",
        metavar="NAME|FILE|RUN",
        default=default,
        help="an included network (see kdsharp models), a .safetensors file, or the "
        "folder of a finished run",
    )


def add_strength(verb: argparse.ArgumentParser, unchanged: str = "picture") -> None:
    """Adds `--strength`."""
    verb.add_argument(
        "--strength",
        metavar="S",
        type=float,
        default=1.0,
        help=f"strength of the correction, from 0 (the unchanged {unchanged}) to 1.5; "
        "1 (default) is as trained",
    )


def add_unsharp(verb: argparse.ArgumentParser) -> None:
    """Adds `--unsharp`."""
    verb.add_argument(
        "--unsharp",
        metavar="A",
        type=float,
        default=0.0,
        help="then apply an unsharp mask of radius 1 and amount A, such as 0.5 "
        "(default: none)",
    )


def add_weights(verb: argparse.ArgumentParser) -> None:
    """Adds `--weights`, for verbs that compare several networks."""
    verb.add_argument(
        "--weights",
        nargs="+",
        metavar="W",
        default=[],
        help="included networks, .safetensors files or folders of runs",
    )


def add_degradation(verb: argparse.ArgumentParser, default: str) -> None:
    """Adds `--degradation`, for verbs that degrade sharp pictures."""
    verb.add_argument(
        "--degradation",
        metavar="SPEC",
        default=default,
        help="how the pictures are degraded (default: %(default)s)",
    )


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
    add_threads(verb)
    add_device(verb)


def add_threads(verb: argparse.ArgumentParser) -> None:
    """Adds `--threads`."""
    verb.add_argument(
        "--threads",
        metavar="N",
        type=int,
        default=0,
        help="number of threads (default: one per core)",
    )


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
