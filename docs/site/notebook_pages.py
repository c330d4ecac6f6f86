"""Notebooks as Markdown pages, as they are committed: nothing runs."""

import base64
import json
from pathlib import Path


def render(path: Path) -> tuple[str, dict[str, bytes]]:
    """The page, and its pictures by file name."""
    notebook = json.loads(path.read_text())
    parts, pictures = [], {}
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
        elif cell["cell_type"] == "code":
            parts.append(f"```python\n{source}\n```")
            for output in cell["outputs"]:
                parts.append(_shown(output, path.stem, pictures))
    return "\n\n".join(part for part in parts if part) + "\n", pictures


def _shown(output: dict, stem: str, pictures: dict[str, bytes]) -> str:
    """An output as Markdown; a picture joins `pictures`."""
    if "text" in output:
        return "```text\n" + "".join(output["text"]).rstrip() + "\n```"
    data = output.get("data", {})
    for kind, ending in (("image/png", "png"), ("image/jpeg", "jpg")):
        if kind in data:
            name = f"{stem}-{len(pictures) + 1}.{ending}"
            pictures[name] = base64.b64decode("".join(data[kind]))
            return f"![]({name})"
    if "text/markdown" in data:
        return "".join(data["text/markdown"])
    if "text/plain" in data:
        return "```text\n" + "".join(data["text/plain"]) + "\n```"
    return ""
