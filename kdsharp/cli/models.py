"""`kdsharp models`: the networks that ship."""

import argparse

from kdsharp.cli.verbs import Verbs, add_verb


def add(verbs: Verbs) -> None:
    """Adds `kdsharp models`."""
    add_verb(verbs, "models", _models, "name what ships: its size, speed and scores")


def _models(arguments: argparse.Namespace) -> None:
    from kdsharp.commands import models

    models.run()
