"""`kdsharp models`: lists the included networks with size, speed and scores."""

from pathlib import Path

from kdsharp.evaluation.bench import operations
from kdsharp.runtime import options as restore_options
from kdsharp.weights import cards, store

_HEIGHT, _WIDTH = 720, 1280


def run() -> None:
    print(table())


def table() -> str:
    """Describes each included network, the default ones first."""
    defaults = {
        restore_options.DEFAULT: "pictures",
        restore_options.DEFAULT_VIDEO: "video",
    }
    names = sorted(store.shipped(), key=lambda name: (name not in defaults, name))
    return "\n\n".join(
        _entry(store.locate(name), defaults.get(name, "")) for name in names
    )


def _entry(file: Path, default_for: str) -> str:
    card = store.read_card(file)
    gflop = operations.per_frame(card["model"], _HEIGHT, _WIDTH) / 1e9
    lines = [
        cards.line(file) + (f"  (default for {default_for})" if default_for else ""),
        f"    {gflop:.1f} GFLOP per 720p frame",
        f"    data: {card.get('data_licence') or 'licence not stated'}",
    ]
    for test, gain in cards.gains(card).items():
        lines.append(f"    {test}: {gain}")
    return "\n".join(lines)
