"""PyAV, and the extra that brings it."""

import importlib.util

from kdsharp.errors import UserError


def need_av() -> None:
    """Says what to install where PyAV is missing."""
    if not importlib.util.find_spec("av"):
        raise UserError("PyAV is not installed: pip install 'kdsharp[video]' brings it")
