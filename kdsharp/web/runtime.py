"""onnxruntime-web, which runs networks in a browser, from npm or from a folder."""

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from kdsharp.base import atomic_files
from kdsharp.base.cache import cache_folder
from kdsharp.errors import UserError

VERSION = "1.30.0"

# The WebAssembly build, and the larger build with WebGPU.
FILES = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
    "ort.webgpu.min.mjs",
    "ort-wasm-simd-threaded.asyncify.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
)
_PATIENCE = 300


def copy(source: Path, out: Path) -> None:
    """Copies the files from a folder, or from its subfolder `dist`."""
    folder = source / "dist" if (source / "dist").is_dir() else source
    for name in FILES:
        if not (folder / name).is_file():
            raise UserError(
                f"{source} is not onnxruntime-web ({name} is missing): give the "
                f"package of version {VERSION}, or its dist folder"
            )
    out.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copyfile(folder / name, out / name)


def fetch(out: Path) -> None:
    """Copies the files from the cache, which npm fills on first use."""
    kept = cache_folder() / f"onnxruntime-web-{VERSION}"
    if not all((kept / name).is_file() for name in FILES):
        _download(kept)
    copy(kept, out)


def _download(kept: Path) -> None:
    """Downloads the package with npm."""
    if not shutil.which("npm"):
        raise UserError(
            "npm, which downloads onnxruntime-web, is not installed: install Node.js, "
            "or give a copy of the package with --runtime DIR"
        )
    with tempfile.TemporaryDirectory() as folder:
        _pack(folder)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        for name in FILES:
            with atomic_files.atomic_write(kept / name) as unfinished:
                shutil.copyfile(Path(folder) / "package" / "dist" / name, unfinished)


def _pack(folder: str) -> None:
    package = f"onnxruntime-web@{VERSION}"
    try:
        done = subprocess.run(
            ["npm", "pack", "--silent", package],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )
        reason = done.stderr.strip().splitlines()[:1] if done.returncode else None
    except subprocess.TimeoutExpired:
        reason = [f"no answer within {_PATIENCE} seconds"]
    if reason is not None:
        raise UserError(
            f"npm could not download {package} "
            f"({' '.join(reason) or 'no reason given'}): "
            "check the network, or give a copy of the package with --runtime DIR"
        )
