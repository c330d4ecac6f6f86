"""Verbs and groups of them, as every file of the command line declares them."""

import argparse
from collections.abc import Callable

Verbs = argparse._SubParsersAction


def add_group(verbs: Verbs, name: str, help_: str) -> Verbs:
    """Returns what the group's own verbs are added to."""
    group = verbs.add_parser(name, help=help_, description=_sentence(help_))
    return group.add_subparsers(metavar="VERB", required=True)


def add_verb(
    verbs: Verbs,
    name: str,
    call: Callable[[argparse.Namespace], int | None],
    help_: str,
) -> argparse.ArgumentParser:
    """Returns what the verb's arguments are added to.

    What `call` returns is the exit status; nothing is 0.
    """
    verb = verbs.add_parser(name, help=help_, description=_sentence(help_))
    verb.set_defaults(call=call)
    return verb


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:] + "."
