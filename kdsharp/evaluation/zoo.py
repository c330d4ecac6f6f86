"""The networks that ship, side by side: what they cost and what they score."""

from pathlib import Path

from kdsharp.evaluation.bench import operations
from kdsharp.runtime import restore
from kdsharp.weights import cards, store

_HEIGHT, _WIDTH = 720, 1280


def table() -> str:
    """Returns an entry for each network, the one taken by default first."""
    default = restore.DEFAULT
    names = sorted(store.shipped(), key=lambda name: (name != default, name))
    return "\n\n".join(_entry(store.locate(name), name == default) for name in names)


def _entry(file: Path, is_default: bool) -> str:
    card = store.read_card(file)
    gflop = operations.per_frame(card["model"], _HEIGHT, _WIDTH) / 1e9
    lines = [
        cards.line(file) + ("  (default)" if is_default else ""),
        f"    {gflop:.1f} GFLOP per 720p frame",
    ]
    for test, gain in cards.gains(card).items():
        lines.append(f"    {test}: {gain}")
    return "\n".join(lines)
