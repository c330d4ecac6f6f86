"""The error message for an unknown name."""

from collections.abc import Iterable

from kdsharp.errors import UserError


def unknown(what: str, name: object, known: Iterable[object]) -> UserError:
    """Creates the error `unknown WHAT 'GIVEN'; choose one of: A, B`."""
    return UserError(f"unknown {what} {name!r}; choose one of: {listed(known)}")


def listed(names: Iterable[object]) -> str:
    """Joins the names with commas; `none` if there are none."""
    return ", ".join(map(str, names)) or "none"
