"""The cache folder, for files that can be recreated or downloaded again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """`$KDSHARP_CACHE`, or `~/.cache/kdsharp` if that is unset or empty."""
    folder = os.environ.get("KDSHARP_CACHE") or "~/.cache/kdsharp"
    try:
        return Path(folder).expanduser()
    except RuntimeError:
        # Accounts in containers may have no home directory: `~` is kept literally.
        return Path(folder)
