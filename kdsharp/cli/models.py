"""`kdsharp models`: lists the included networks."""

import argparse

from kdsharp.cli.verbs import Verbs, add_verb


def add(verbs: Verbs) -> None:
    """Adds `kdsharp models`."""
    add_verb(
        verbs, "models", _models, "list the included networks: size, speed and scores"
    )


def _models(arguments: argparse.Namespace) -> None:
    from kdsharp.commands import models

    models.run()
