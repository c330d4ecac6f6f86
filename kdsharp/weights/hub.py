"""Repositories of a model hub: `OWNER/NAME`, or `OWNER/NAME@REVISION` for one state.

The Python package huggingface_hub fetches and uploads. A repository holds
NAME.safetensors, NAME.json and README.md.
"""

import re
from pathlib import Path
from types import ModuleType

from kdsharp.base import optional
from kdsharp.errors import UserError

README = "README.md"

_ID = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")


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
    """The repository and the revision that a name holds."""
    found = _ID.fullmatch(name)
    assert found is not None  # `is_id` says so of the name.
    repository, revision = found.groups()
    return repository, revision


def package(purpose: str) -> ModuleType:
    """The package, or the sentence that names its extra."""
    [hub] = optional.require("huggingface_hub", purpose=purpose)
    optional.require("huggingface_hub.errors", purpose=purpose)
    return hub


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
