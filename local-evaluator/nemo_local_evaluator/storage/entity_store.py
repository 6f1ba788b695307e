"""Configs and targets: documents with a name that is unique in its namespace."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any, Final, Literal

from . import document_rows
from .database import Database
from .listing import Listing, Table, find

__all__ = ["EntityStore", "StoredEntity"]

_COLUMNS: Final = frozenset({"id", "namespace", "name", "type", "project", "created_at", "updated_at"})
_MODEL: Final = ("$.model", "$.model.name", "$.model.api_endpoint.model_id")


@dataclass(frozen=True)
class StoredEntity:
    document: dict[str, Any]
    """The document as it is returned: secrets masked, nulls omitted."""
    secrets: dict[str, str]


class EntityStore:
    def __init__(self, database: Database, kind: Literal["config", "target"]) -> None:
        self._database = database
        self._kind = kind
        self._table = Table(name="entities", kind=kind, columns=_COLUMNS, aliases={("model",): _MODEL})

    def add(self, entity: StoredEntity) -> bool:
        """Add the entity. Return False where its name is taken."""
        try:
            with self._database.transaction():
                self._database.execute(
                    "INSERT INTO entities (id, kind, namespace, name, type, project, created_at, updated_at)"
                    " VALUES (:id, :kind, :namespace, :name, :type, :project, :created_at, :updated_at)",
                    self._row(entity.document),
                )
                self._keep(entity)
        except sqlite3.IntegrityError:
            return False
        return True

    def get(self, namespace: str, name: str) -> StoredEntity | None:
        row = self._database.execute(
            "SELECT id, document FROM entities JOIN documents ON owner = id"
            " WHERE kind = :kind AND namespace = :namespace AND name = :name",
            {"kind": self._kind, "namespace": namespace, "name": name},
        ).fetchone()
        if row is None:
            return None
        return StoredEntity(document_rows.parse(row), self._database.secrets(row["id"]))

    def replace(self, entity: StoredEntity) -> None:
        with self._database.transaction():
            self._database.execute(
                "UPDATE entities SET type = :type, project = :project, updated_at = :updated_at"
                " WHERE id = :id",
                self._row(entity.document),
            )
            self._keep(entity)

    def delete(self, entity_id: str) -> None:
        with self._database.transaction():
            self._database.execute("DELETE FROM entities WHERE id = :id", {"id": entity_id})
            document_rows.forget(self._database, entity_id)
            self._database.forget_secrets(entity_id)

    def list(self, listing: Listing) -> tuple[list[dict[str, Any]], int]:
        found = find(self._database, self._table, listing)
        return [document_rows.parse(row) for row in found.rows], found.total

    def _keep(self, entity: StoredEntity) -> None:
        document_rows.keep(self._database, self._kind, entity.document)
        self._database.keep_secrets(entity.document["id"], entity.secrets)

    def _row(self, document: dict[str, Any]) -> dict[str, object]:
        return {"kind": self._kind} | {column: document.get(column) for column in _COLUMNS}
