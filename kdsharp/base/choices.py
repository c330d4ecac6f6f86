"""The sentence for a name that is none of those there are."""

from collections.abc import Iterable

from kdsharp.errors import UserError


def unknown(what: str, given: object, known: Iterable[object]) -> UserError:
    """The error `unknown WHAT 'GIVEN'; choose one of: A, B`, to be raised."""
    return UserError(f"unknown {what} {given!r}; choose one of: {listed(known)}")


def listed(names: Iterable[object]) -> str:
    """The names with commas between them, or `none`."""
    return ", ".join(map(str, names)) or "none"
