"""Formats weights and their cards as text, for `kdsharp weights`."""

import math
from pathlib import Path

from safetensors import SafetensorError, safe_open

from kdsharp.errors import UserError
from kdsharp.weights import store

_COLUMN = 12


def line(file: Path) -> str:
    """Formats name, size, degradation and licence on one line."""
    card = store.read_card(file)
    return (
        f"{file.stem:20} {card['model']['name']!s:16} {count_parameters(file):>11,} "
        f"parameters  {card.get('degradation') or 'degradation not stated':28} "
        f"{card.get('licence') or card.get('data_licence') or 'licence not stated'}"
    )


def describe(file: Path) -> str:
    """Formats the entries of a card, one per line."""
    card = store.read_card(file)
    # None marks entries that do not apply to these weights, which are left out.
    entries = {
        "name": card.get("name"),
        "file": f"{file} ({file.stat().st_size / 1e3:,.1f} kB)",
        "network": _network(card["model"]),
        "parameters": f"{count_parameters(file):,}",
        "degradation": card.get("degradation") or "",
        "data": card.get("data"),
        "licence": card.get("licence") or "",
        "data licence": card.get("data_licence") or "",
        "trained": _training(card),
        "command": card.get("command"),
        "hardware": card.get("hardware"),
        "limits": card.get("limits"),
        **_origin(card.get("source")),
    }
    lines = [
        f"{name:{_COLUMN}} {value or 'not stated'}"
        for name, value in entries.items()
        if value is not None
    ]
    return "\n".join([*lines, *_scores(card.get("scores"))])


def gains(card: dict) -> dict[str, str]:
    """Formats the PSNR of input and network, and the gain, for each test."""
    lines = {}
    for test, networks in (card.get("scores") or {}).items():
        before, after = (
            value.get("psnr") if isinstance(value, dict) else value
            for value in (networks.get("input"), networks.get("network"))
        )
        if before is not None and after is not None:
            lines[test] = f"{before:.2f} -> {after:.2f} dB ({after - before:+.2f})"
    return lines


def count_parameters(file: Path) -> int:
    """Counts the trained parameters in a file, without batch statistics."""
    try:
        with safe_open(file, "numpy") as tensors:
            return sum(
                math.prod(tensors.get_slice(name).get_shape())
                for name in tensors.keys()  # noqa: SIM118
                if name.startswith("params/")
            )
    except (OSError, SafetensorError) as error:
        raise UserError(f"{file} is not a safetensors file, or is damaged") from error


def _network(model: dict) -> str:
    arguments = (f"{k} {_value(v)}" for k, v in model.items() if k != "name")
    return ": ".join(filter(None, [str(model["name"]), ", ".join(arguments)]))


def _value(value) -> str:
    if isinstance(value, list):
        return "(" + ", ".join(map(_value, value)) + ")"
    return str(value)


def _training(card: dict) -> str | None:
    """Formats the number of steps and the revision of the code."""
    parts = []
    if "steps" in card:
        parts.append(f"{card['steps']:,} steps")
    if card.get("commit"):
        parts.append(f"kdsharp {card['commit']}")
    return ", ".join(parts) or None


def _origin(source) -> dict[str, str | None]:
    """The entries of imported weights."""
    if not isinstance(source, dict):
        return {}
    return {
        "from": source.get("from"),
        "imported": f"{source.get('file')} of {source.get('framework')}",
        "sha256": source.get("sha256"),
    }


def _scores(scores) -> list[str]:
    """Formats the scores by test, one network per line."""
    lines = [] if scores else [f"{'scores':{_COLUMN}} none"]
    for test, networks in (scores or {}).items():
        lines.append(f"{test}:")
        for network, values in networks.items():
            if not isinstance(values, dict):
                values = {"": values}
            written = (
                f"{metric} {_number(value)}".strip() for metric, value in values.items()
            )
            lines.append(f"    {network:{_COLUMN - 4}} {', '.join(written)}")
    return lines


def _number(value: float) -> str:
    return f"{value:.4g}"
