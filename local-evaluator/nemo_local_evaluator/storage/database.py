"""The connection and its transactions.

Statements run on the event loop's own thread: nearly all take well under a millisecond, less than handing
them to a thread would. A search through the documents of very many jobs takes longer, and others wait. The
file is readable by its owner only, for it holds API keys.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from nemo_local_evaluator.wire.errors import DatabaseInUse, DatabaseTooNew

from .schema import SCHEMA_VERSION, migrate

__all__ = ["Database"]


class Database:
    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=0)
        self._connection.row_factory = sqlite3.Row
        # A second server on the same file would declare this one's running jobs lost.
        self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            found = migrate(self._connection)
        except sqlite3.OperationalError as error:
            self._connection.close()
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            raise DatabaseInUse(f"{path} is in use by another server") from error
        if found > SCHEMA_VERSION:
            self._connection.close()
            raise DatabaseTooNew(
                f"{path} was written by a later version (schema {found}; this one knows {SCHEMA_VERSION})"
            )

    def close(self) -> None:
        self._connection.close()

    def execute(self, sql: str, parameters: Mapping[str, object] | None = None) -> sqlite3.Cursor:
        return self._connection.execute(
            sql, {name: _storable(value) for name, value in (parameters or {}).items()}
        )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def secrets(self, owner: str) -> dict[str, str]:
        rows = self.execute("SELECT place, value FROM secrets WHERE owner = :owner", {"owner": owner})
        return {row["place"]: row["value"] for row in rows}

    def keep_secrets(self, owner: str, secrets: Mapping[str, str]) -> None:
        self.forget_secrets(owner)
        for place, value in secrets.items():
            self.execute(
                "INSERT INTO secrets VALUES (:owner, :place, :value)",
                {"owner": owner, "place": place, "value": value},
            )

    def forget_secrets(self, owner: str) -> None:
        self.execute("DELETE FROM secrets WHERE owner = :owner", {"owner": owner})


def _storable(value: object) -> object:
    """Replace half surrogate pairs, which JSON may hold but UTF-8 and URLs cannot."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
