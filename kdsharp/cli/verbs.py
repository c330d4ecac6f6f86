"""Helpers with which the modules of the command line declare verbs and groups."""

import argparse
from collections.abc import Callable

Verbs = argparse._SubParsersAction


def add_group(verbs: Verbs, name: str, help_: str) -> Verbs:
    """Adds a group and returns the object to add its own verbs to."""
    group = verbs.add_parser(name, help=help_, description=_sentence(help_))
    return group.add_subparsers(metavar="VERB", required=True)


def add_verb(
    verbs: Verbs,
    name: str,
    call: Callable[[argparse.Namespace], int | None],
    help_: str,
) -> argparse.ArgumentParser:
    """Adds a verb and returns the parser to add its arguments to.

    `call` is given the parsed arguments and returns the exit status; None means 0.
    """
    verb = verbs.add_parser(name, help=help_, description=_sentence(help_))
    verb.set_defaults(call=call)
    return verb


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:] + "."
