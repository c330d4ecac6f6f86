"""Stores the streams and scores of finished cells in a folder."""

import json
from pathlib import Path

from kdsharp.base import atomic_files
from kdsharp.errors import UserError
from kdsharp.evaluation.calls.ladder import Cell

# Increase this when measures change, so that cells are scored again.
_VERSION = 1

Rows = dict[str, dict[str, float]]
"""Scores by the identity of a restorer and by measure."""


class Store:
    """Stores cells below a folder, each atomically."""

    def __init__(self, folder: Path):
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{folder} is a file: name a folder for --out")
        self._cells, self._streams = folder / "cells", folder / "streams"
        for made in (self._cells, self._streams):
            made.mkdir(parents=True, exist_ok=True)
        self._speed = folder / "cells" / "speed.json"

    def rows(self, cell: Cell) -> Rows:
        """Reads the scores of a cell."""
        return _read(self._cells / f"{cell.name}.json").get("rows", {})

    def save(self, cell: Cell, rows: Rows) -> None:
        """Adds scores of a cell."""
        content = {"version": _VERSION, "rows": self.rows(cell) | rows}
        path = self._cells / f"{cell.name}.json"
        atomic_files.write_text(path, json.dumps(content, indent=1) + "\n")

    def stream(self, cell: Cell) -> bytes | None:
        """Reads the stream of a cell; None if it was not encoded yet."""
        path = self._streams / f"{cell.name}.mkv"
        return path.read_bytes() if path.exists() else None

    def save_stream(self, cell: Cell, stream: bytes) -> None:
        """Saves the stream of a cell, unless it is empty."""
        if stream:
            atomic_files.write_bytes(self._streams / f"{cell.name}.mkv", stream)

    def speeds(self) -> dict[str, float]:
        """Reads the milliseconds per frame by network and size."""
        return _read(self._speed).get("milliseconds", {})

    def save_speeds(self, speeds: dict[str, float]) -> None:
        """Saves the milliseconds per frame by network and size."""
        content = {"version": _VERSION, "milliseconds": speeds}
        atomic_files.write_text(self._speed, json.dumps(content, indent=1) + "\n")


def _read(path: Path) -> dict:
    """Reads a file; empty if it is missing or of another version."""
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UserError(
            f"{path} is damaged: delete it and run the command again"
        ) from error
    return content if content.get("version") == _VERSION else {}
