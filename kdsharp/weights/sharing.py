"""Shares weights with their card and model card: writes a folder, uploads to a hub."""

import shutil
from pathlib import Path

from kdsharp.base import atomic_files
from kdsharp.errors import UserError
from kdsharp.weights import hub, model_cards, store


def write_folder(file: Path, folder: Path, *, overwrite: bool = False) -> list[Path]:
    """Writes weights, card and model card to a folder; returns the files."""
    card = file.with_suffix(".json")
    store.read_card(file)  # Raises an error if it is missing.
    targets = [folder / file.name, folder / card.name, folder / hub.README]
    for target in targets:
        if target.exists() and not overwrite:
            raise UserError(f"{target} exists: give another folder, or --overwrite")
    for source, target in zip((file, card), targets, strict=False):
        with atomic_files.atomic_write(target) as unfinished:
            shutil.copyfile(source, unfinished)
    atomic_files.write_text(targets[-1], model_cards.markdown(file))
    return targets


def upload(folder: Path, name: str, *, private: bool = False) -> str:
    """Uploads a folder to a repository, created if needed; returns its address."""
    package = hub.package("uploading to the hub")
    repository, revision = hub.split(name)
    api = package.HfApi()
    try:
        address = api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=folder, revision=revision)
    except (OSError, ValueError, package.errors.HfHubHTTPError) as error:
        raise UserError(
            f"could not upload to {name!r}: {hub.first_line(error)}"
        ) from error
    return str(address)
