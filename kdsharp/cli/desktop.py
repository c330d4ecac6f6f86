"""`kdsharp desktop`: adds actions to file managers."""

import argparse
import pathlib

from kdsharp.cli.verbs import Verbs, add_group, add_verb


def add(verbs: Verbs) -> None:
    """Adds `kdsharp desktop` and its verbs."""
    desktop = add_group(verbs, "desktop", "sharpen from the menus of file managers")
    add_verb(desktop, "install", _install, "add an action to GNOME Files and Dolphin")
    add_verb(desktop, "remove", _remove, "remove these actions")
    action = add_verb(
        desktop, "sharpen", _sharpen, "sharpen files and notify; the action runs this"
    )
    action.add_argument("files", metavar="FILE", nargs="+", type=pathlib.Path)


def _install(arguments: argparse.Namespace) -> None:
    from kdsharp.commands import desktop

    desktop.install()


def _remove(arguments: argparse.Namespace) -> None:
    from kdsharp.commands import desktop

    desktop.remove()


def _sharpen(arguments: argparse.Namespace) -> int:
    from kdsharp.commands import desktop

    return desktop.sharpen(arguments.files)
