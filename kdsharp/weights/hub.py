"""Downloads weights from the Hugging Face hub: `OWNER/NAME` or `OWNER/NAME@REVISION`.

A repository holds NAME.safetensors, NAME.json and README.md.
"""

import re
from pathlib import Path
from types import ModuleType

from kdsharp.base import optional
from kdsharp.errors import UserError

README = "README.md"

_ID = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")


def is_id(name: str) -> bool:
    """Whether a name has the form of a repository and is not a local path."""
    path = Path(name)
    return (
        bool(_ID.fullmatch(name))
        and name[0] != "."
        and path.suffix not in (".safetensors", ".pth")
        and not path.exists()
    )


def available() -> bool:
    """Whether huggingface_hub is installed."""
    return optional.installed("huggingface_hub")


def download(name: str) -> Path:
    """Downloads a repository, unless it is cached; returns the folder."""
    hub = package(f"weights of the hub ({name!r})")
    repository, revision = split(name)
    try:
        folder = hub.snapshot_download(
            repository,
            revision=revision,
            allow_patterns=["*.safetensors", "*.json", README],
        )
    except (OSError, ValueError, hub.errors.HfHubHTTPError) as error:
        raise UserError(
            f"no weights {name!r}: not on this machine, and on the hub: "
            f"{first_line(error)}"
        ) from error
    return Path(folder)


def split(name: str) -> tuple[str, str | None]:
    """Splits a name into repository and revision."""
    found = _ID.fullmatch(name)
    assert found is not None  # `is_id` says so of the name.
    repository, revision = found.groups()
    return repository, revision


def package(purpose: str) -> ModuleType:
    """Imports huggingface_hub; the error names the extra if it is missing."""
    [hub] = optional.require("huggingface_hub", purpose=purpose)
    optional.require("huggingface_hub.errors", purpose=purpose)
    return hub


def first_line(error: Exception) -> str:
    """The first line of an error's message, or its type."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
