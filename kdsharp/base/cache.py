"""The folder of files that can be made or fetched again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """$KDSHARP_CACHE, or ~/.cache/kdsharp where that is unset or empty."""
    given = os.environ.get("KDSHARP_CACHE") or "~/.cache/kdsharp"
    try:
        return Path(given).expanduser()
    except RuntimeError:
        # No home: an account of a container. The name stays as it is.
        return Path(given)
