"""Flags shared by the benchmarks that time a training step."""

import argparse


def add(parser: argparse.ArgumentParser, *, batch: int, patch: int) -> None:
    """Adds --batch and --patch, with these defaults, and --rounds."""
    for name, default, words in (
        ("batch", batch, "crops in a batch"),
        ("patch", patch, "pixels along a side of a crop"),
        ("rounds", 5, "turns of each contender"),
    ):
        words = f"{words} (%(default)s)"
        parser.add_argument(f"--{name}", type=int, default=default, help=words)
