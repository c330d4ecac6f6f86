"""Finished cells in a folder: their streams, and what was measured of each restorer."""

import json
from pathlib import Path

from kdsharp.base import atomic_files
from kdsharp.errors import UserError
from kdsharp.evaluation.calls.ladder import Cell

# Raised when measures change: what was kept before is measured anew.
_VERSION = 1

Rows = dict[str, dict[str, float]]
"""Measures by the identity of a restorer."""


class Store:
    """Keeps cells below a folder; a cell is there whole or not at all."""

    def __init__(self, folder: Path):
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{folder} is a file: name a folder for --out")
        self._cells, self._streams = folder / "cells", folder / "streams"
        for made in (self._cells, self._streams):
            made.mkdir(parents=True, exist_ok=True)
        self._speed = folder / "cells" / "speed.json"

    def rows(self, cell: Cell) -> Rows:
        """What is known of the cell."""
        return _read(self._cells / f"{cell.name}.json").get("rows", {})

    def keep(self, cell: Cell, rows: Rows) -> None:
        """Adds to what is known of the cell."""
        found = {"version": _VERSION, "rows": self.rows(cell) | rows}
        path = self._cells / f"{cell.name}.json"
        atomic_files.write_text(path, json.dumps(found, indent=1) + "\n")

    def stream(self, cell: Cell) -> bytes | None:
        """The stream, where the cell was encoded before."""
        path = self._streams / f"{cell.name}.mkv"
        return path.read_bytes() if path.exists() else None

    def keep_stream(self, cell: Cell, stream: bytes) -> None:
        """Keeps the stream."""
        if stream:
            atomic_files.write_bytes(self._streams / f"{cell.name}.mkv", stream)

    def speeds(self) -> dict[str, float]:
        """Milliseconds a frame by network and size."""
        return _read(self._speed).get("milliseconds", {})

    def keep_speeds(self, speeds: dict[str, float]) -> None:
        """Keeps milliseconds a frame."""
        found = {"version": _VERSION, "milliseconds": speeds}
        atomic_files.write_text(self._speed, json.dumps(found, indent=1) + "\n")


def _read(path: Path) -> dict:
    """What a file holds; nothing, if it is of another version."""
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UserError(f"{path} is damaged: delete it, it is made anew") from error
    return found if found.get("version") == _VERSION else {}
