"""Keeps answers: each is on the disk before whoever gave it hears that it is."""

import contextlib
import dataclasses
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from kdsharp.errors import UserError

FILE = "answers.sqlite"
_TABLES = """
create table raters (
    token text primary key,
    synthetic integer not null
) strict;
create table answers (
    token text not null references raters,
    trial integer not null,
    scale text not null,
    score integer not null check (score between 1 and 5),
    primary key (token, trial, scale)
) strict, without rowid;
"""
_PATIENCE = 30


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a rater said of a trial."""

    token: str
    trial: int
    scale: str
    score: int


class Answers:
    """The file of a study, for as many threads as like."""

    def __init__(self, folder: Path):
        self._lock = threading.Lock()
        path = folder / FILE
        if not path.is_file():
            raise UserError(f"{folder} is no study: {FILE} is missing")
        self._database = _connect(path)

    def begin(self, *, played: str | None = None) -> str:
        """Returns the token of a new rater; one whom a program plays brings its own."""
        token = played or secrets.token_urlsafe(16)
        with self._transaction() as database:
            row = (token, int(played is not None))
            database.execute("insert into raters values (?, ?)", row)
        return token

    def keep(self, *answers: Answer) -> None:
        """Keeps answers; a trial's later one takes the place of an earlier."""
        rows = [(a.token, a.trial, a.scale, a.score) for a in answers]
        with self._transaction() as database:
            database.executemany(
                "insert into answers values (?, ?, ?, ?) "
                "on conflict do update set score = excluded.score",
                rows,
            )

    def raters(self) -> dict[str, bool]:
        """Returns all tokens, and whether a program made them."""
        with self._lock:
            rows = self._database.execute("select token, synthetic from raters")
            return {token: bool(synthetic) for token, synthetic in rows}

    def of(self, token: str) -> list[Answer]:
        """Returns what a rater gave so far."""
        with self._lock:
            rows = self._database.execute(
                "select * from answers where token = ?", (token,)
            )
            return [Answer(*row) for row in rows]

    def close(self) -> None:
        with self._lock:
            self._database.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._database:
            yield self._database


def create(folder: Path) -> None:
    """Makes an empty file."""
    with contextlib.closing(_connect(folder / FILE)) as database:
        database.executescript(_TABLES)


def _connect(path: Path) -> sqlite3.Connection:
    try:
        database = sqlite3.connect(path, timeout=_PATIENCE, check_same_thread=False)
        # A commit returns once the disk has it, so that no power cut loses it.
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = full")
        database.execute("pragma foreign_keys = on")
    except sqlite3.Error as error:
        raise UserError(f"{path} cannot be used ({error})") from error
    return database
