"""Model cards for hubs: Markdown with YAML front matter."""

import json
from pathlib import Path

from kdsharp.weights import cards, store

_PERMISSIVE = "Apache-2.0"


def markdown(file: Path) -> str:
    """Formats the model card of weights, with front matter."""
    return f"---\n{_front_matter(store.read_card(file))}---\n\n{body(file)}"


def body(file: Path) -> str:
    """Formats the model card without front matter."""
    card = store.read_card(file)
    name = card.get("name") or file.stem
    parts = [
        f"# {name}",
        _summary(card, file),
        f"```\nkdsharp sharpen photo.jpg --model {name}\n```",
    ]
    if card.get("limits"):
        parts += ["## Limits", card["limits"]]
    parts += ["## Licence", _licence(card)]
    if card.get("data"):
        parts += ["## Data", card["data"]]
    if card.get("scores"):
        parts += ["## Scores", _scores(card["scores"])]
    parts += ["## Training", _training(card)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(card: dict) -> str:
    """Formats the YAML front matter; JSON values are valid YAML."""
    entries: dict[str, object] = {"library_name": "kdsharp"}
    licence = card.get("licence")
    if licence == _PERMISSIVE:
        entries["license"] = "apache-2.0"
    elif licence:
        entries |= {"license": "other", "license_name": licence}
    entries |= {
        "pipeline_tag": "image-to-image",
        "tags": ["image-sharpening", "deblurring", "jax", card["model"]["name"]],
        "metrics": ["psnr", "ssim"],
    }
    return "".join(f"{name}: {json.dumps(value)}\n" for name, value in entries.items())


def _summary(card: dict, file: Path) -> str:
    model = card["model"]
    arguments = ", ".join(f"{k} {v}" for k, v in model.items() if k != "name")
    rows = {
        "network": f"`{model['name']}`" + (f": {arguments}" if arguments else ""),
        "pixels": "luma" if model.get("channels") == 1 else "RGB",
        "parameters": f"{cards.count_parameters(file):,}",
        "restores": f"`{card['degradation']}`" if card.get("degradation") else "",
    }
    return _table(["", ""], [[k, v] for k, v in rows.items() if v])


def _licence(card: dict) -> str:
    return (
        f"Weights: {card.get('licence') or 'not stated'}. "
        f"Data: {card.get('data_licence') or 'not stated'}."
    )


def _scores(scores: dict) -> str:
    """Formats a table with a row per test and network and a column per metric."""
    rows, metrics = [], []
    for test, networks in scores.items():
        for network, values in networks.items():
            if not isinstance(values, dict):
                values = {"psnr" if network in ("input", "network") else "": values}
            rows.append((test, network, values))
            metrics += [name for name in values if name not in metrics]
    lines = []
    for at, (test, network, values) in enumerate(rows):
        repeated = at and rows[at - 1][0] == test
        numbers = [f"{values[m]:.4g}" if m in values else "" for m in metrics]
        lines.append(["" if repeated else test, network, *numbers])
    return _table(["test", "", *metrics], lines)


def _training(card: dict) -> str:
    steps, seconds = card.get("steps"), card.get("seconds")
    rows = {
        "steps": f"{steps:,}" if steps else "",
        "seconds": f"{seconds:,}" if seconds else "",
        "hardware": card.get("hardware", ""),
        "kdsharp": card.get("commit", ""),
    }
    table = _table(["", ""], [[k, v] for k, v in rows.items() if v])
    command = f"```\n{card['command']}\n```" if card.get("command") else ""
    recipe = ""
    if card.get("recipe"):
        recipe = f"```json\n{json.dumps(card['recipe'], indent=2)}\n```"
    return "\n\n".join(part for part in (table, command, recipe) if part)


def _table(head: list[str], rows: list[list[str]]) -> str:
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
