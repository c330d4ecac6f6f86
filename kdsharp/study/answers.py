"""Stores ratings: each is on disk before it is confirmed to the rater."""

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
    """A rating: the score of a trial on one scale."""

    token: str
    trial: int
    scale: str
    score: int


class Answers:
    """The ratings of a study, safe to use from several threads."""

    def __init__(self, folder: Path):
        self._lock = threading.Lock()
        path = folder / FILE
        if not path.is_file():
            raise UserError(f"{folder} is not a study: {FILE} is missing")
        self._database = _connect(path)

    def add_rater(self, *, synthetic_token: str | None = None) -> str:
        """Adds a rater and returns the token; synthetic raters bring their own."""
        token = synthetic_token or secrets.token_urlsafe(16)
        with self._transaction() as database:
            row = (token, int(synthetic_token is not None))
            database.execute("insert into raters values (?, ?)", row)
        return token

    def save(self, *answers: Answer) -> None:
        """Stores ratings; a later rating replaces an earlier one of the same trial."""
        rows = [(a.token, a.trial, a.scale, a.score) for a in answers]
        with self._transaction() as database:
            database.executemany(
                "insert into answers values (?, ?, ?, ?) "
                "on conflict do update set score = excluded.score",
                rows,
            )

    def raters(self) -> dict[str, bool]:
        """All tokens, and whether each rater is synthetic."""
        with self._lock:
            rows = self._database.execute("select token, synthetic from raters")
            return {token: bool(synthetic) for token, synthetic in rows}

    def of_rater(self, token: str) -> list[Answer]:
        """The ratings of one rater so far."""
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
    """Creates an empty database."""
    with contextlib.closing(_connect(folder / FILE)) as database:
        database.executescript(_TABLES)


def _connect(path: Path) -> sqlite3.Connection:
    try:
        database = sqlite3.connect(path, timeout=_PATIENCE, check_same_thread=False)
        # A commit returns only when the data is on disk.
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = full")
        database.execute("pragma foreign_keys = on")
    except sqlite3.Error as error:
        raise UserError(f"{path} cannot be used ({error})") from error
    return database
