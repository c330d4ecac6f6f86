"""`kdsharp weights`: lists, describes, imports and shares trained weights."""

import tempfile
from pathlib import Path

from kdsharp.errors import UserError
from kdsharp.weights import cards, hub, sharing, store


def list_shipped() -> None:
    """Prints a line for each included network."""
    for name in store.shipped():
        print(cards.line(store.locate(name)))


def info(weights: str) -> None:
    """Prints the card of a network."""
    print(cards.describe(store.locate(weights)))


def import_(
    architecture: str,
    file: Path,
    out: Path,
    *,
    source: str,
    degradation: str,
    settings: dict[str, object],
    overwrite: bool,
) -> None:
    """Converts PyTorch weights to a `.safetensors` file with a card."""
    _check_out(out, overwrite)
    from kdsharp.core import degradations
    from kdsharp.weights import torch_import

    if degradation:
        degradations.create(degradation)  # Raises if the spec is invalid.
    torch_import.convert(
        architecture, file, out, source=source, degradation=degradation, **settings
    )
    print(cards.describe(out))


def _check_out(out: Path, overwrite: bool) -> None:
    if out.suffix != ".safetensors":
        raise UserError(f"{out}: the file name must end in .safetensors")
    for path in (out, out.with_suffix(".json")):
        if path.exists() and not overwrite:
            raise UserError(f"{path} exists: give another name, or --overwrite")


def push(weights: str, target: str, *, private: bool, overwrite: bool) -> None:
    """Copies weights and their model card to a folder, or uploads them to a hub."""
    file = store.locate(weights)
    if not hub.is_id(target):
        for path in sharing.write_folder(file, Path(target), overwrite=overwrite):
            print(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        sharing.write_folder(file, Path(folder))
        print(sharing.upload(Path(folder), target, private=private))


def pull(source: str, out: Path, *, overwrite: bool) -> None:
    """Copies weights from a hub or a folder to a folder, with their model card."""
    for path in sharing.write_folder(store.locate(source), out, overwrite=overwrite):
        print(path)
