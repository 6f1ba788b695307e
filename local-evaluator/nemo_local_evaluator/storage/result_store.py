"""Results of jobs, and those that clients create: documents that name the job they belong to."""

from __future__ import annotations

from typing import Any, Final

from . import document_rows
from .database import Database
from .listing import Listing, Table, find

__all__ = ["ResultStore", "forget_result", "insert_result"]

_COLUMNS: Final = frozenset({"id", "job", "namespace", "project", "created_at", "updated_at"})
_TABLE: Final = Table(name="results", kind="result", columns=_COLUMNS)


class ResultStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, document: dict[str, Any]) -> None:
        with self._database.transaction():
            insert_result(self._database, document)

    def get(self, result_id: str) -> dict[str, Any] | None:
        row = self._database.execute("SELECT 1 FROM results WHERE id = :id", {"id": result_id}).fetchone()
        return row and document_rows.read(self._database, result_id)

    def replace(self, document: dict[str, Any]) -> None:
        with self._database.transaction():
            self._database.execute(
                "UPDATE results SET job = :job, namespace = :namespace, project = :project,"
                " updated_at = :updated_at WHERE id = :id",
                _row(document),
            )
            document_rows.keep(self._database, "result", document)

    def delete(self, result_id: str) -> None:
        with self._database.transaction():
            self._database.execute(
                "UPDATE jobs SET result = NULL"
                " WHERE id = (SELECT job FROM results WHERE id = :id) AND result = :id",
                {"id": result_id},
            )
            forget_result(self._database, result_id)

    def list(self, listing: Listing) -> tuple[list[dict[str, Any]], int]:
        found = find(self._database, _TABLE, listing)
        return [document_rows.parse(row) for row in found.rows], found.total


def insert_result(database: Database, document: dict[str, Any]) -> None:
    """Inside a transaction of the caller's."""
    database.execute(
        "INSERT INTO results (id, job, namespace, project, created_at, updated_at)"
        " VALUES (:id, :job, :namespace, :project, :created_at, :updated_at)",
        _row(document),
    )
    document_rows.keep(database, "result", document)


def forget_result(database: Database, result_id: str) -> None:
    """Inside a transaction of the caller's."""
    database.execute("DELETE FROM results WHERE id = :id", {"id": result_id})
    document_rows.forget(database, result_id)


def _row(document: dict[str, Any]) -> dict[str, object]:
    return {column: document.get(column) for column in _COLUMNS}
