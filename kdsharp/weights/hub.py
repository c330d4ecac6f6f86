"""Weights on a model hub: a repository holds NAME.safetensors, NAME.json and README.md.

`OWNER/NAME` is a repository, `OWNER/NAME@REVISION` one state of it. The Python package
huggingface_hub fetches and uploads; a folder of the same files needs no package.
"""

import re
import shutil
from pathlib import Path
from types import ModuleType

from kdsharp.base import atomic_files, optional
from kdsharp.errors import UserError
from kdsharp.weights import model_cards, store

_ID = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")
_README = "README.md"


def is_id(name: str) -> bool:
    """Whether the name has the form of a repository, and is nothing on the disk."""
    path = Path(name)
    return (
        bool(_ID.fullmatch(name))
        and name[0] != "."
        and path.suffix not in (".safetensors", ".pth")
        and not path.exists()
    )


def available() -> bool:
    """Whether the package that fetches is installed."""
    return optional.installed("huggingface_hub")


def download(name: str) -> Path:
    """The folder of a repository's weights, from the hub's cache where it is there."""
    hub = _package(f"weights of the hub ({name!r})")
    repository, revision = _ID.fullmatch(name).groups()
    try:
        folder = hub.snapshot_download(
            repository,
            revision=revision,
            allow_patterns=["*.safetensors", "*.json", _README],
        )
    except (OSError, ValueError, hub.errors.HfHubHTTPError) as error:
        raise UserError(
            f"no weights {name!r}: not on this machine, and on the hub: "
            f"{_first_line(error)}"
        ) from error
    return Path(folder)


def write_folder(file: Path, folder: Path, *, overwrite: bool = False) -> list[Path]:
    """Writes weights, their card and a model card; returns the files."""
    card = file.with_suffix(".json")
    store.read_card(file)  # Says so where it is missing.
    targets = [folder / file.name, folder / card.name, folder / _README]
    for target in targets:
        if target.exists() and not overwrite:
            raise UserError(f"{target} exists: give another folder, or --overwrite")
    for source, target in zip((file, card), targets, strict=False):
        with atomic_files.atomic_write(target) as unfinished:
            shutil.copyfile(source, unfinished)
    atomic_files.write_text(targets[-1], model_cards.markdown(file))
    return targets


def upload(folder: Path, name: str, *, private: bool = False) -> str:
    """Uploads a folder's files to a repository, which is made; returns its address."""
    hub = _package("uploading to the hub")
    repository, revision = _ID.fullmatch(name).groups()
    api = hub.HfApi()
    try:
        address = api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=folder, revision=revision)
    except (OSError, ValueError, hub.errors.HfHubHTTPError) as error:
        raise UserError(
            f"could not upload to {name!r}: {_first_line(error)}"
        ) from error
    return str(address)


def _package(purpose: str) -> ModuleType:
    [hub] = optional.require("huggingface_hub", purpose=purpose)
    optional.require("huggingface_hub.errors", purpose=purpose)
    return hub


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
