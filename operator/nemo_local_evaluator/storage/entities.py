"""Configs and targets: documents with a name that is unique in its namespace."""

import json
import sqlite3
from dataclasses import dataclass
from typing import Any, Literal

from nemo_local_evaluator.storage.database import Database
from nemo_local_evaluator.storage.listing import Found, Listing, find

Kind = Literal["config", "target"]


@dataclass(frozen=True)
class StoredEntity:
    document: dict[str, Any]
    """As answered: secrets masked, nulls omitted."""
    secrets: dict[str, str]


class EntityStore:
    def __init__(self, database: Database, kind: Kind) -> None:
        self._database = database
        self._kind = kind

    def add(self, entity: StoredEntity) -> bool:
        """False where the name is taken."""
        try:
            with self._database.transaction():
                self._database.execute(
                    "INSERT INTO entities VALUES (:id, :kind, :namespace, :name, :type, :project,"
                    " :created_at, :updated_at, :document)",
                    self._columns(entity.document),
                )
                self._database.keep_secrets(entity.document["id"], entity.secrets)
        except sqlite3.IntegrityError:
            return False
        return True

    def get(self, namespace: str, name: str) -> StoredEntity | None:
        row = self._database.execute(
            "SELECT * FROM entities WHERE kind = :kind AND namespace = :namespace AND name = :name",
            {"kind": self._kind, "namespace": namespace, "name": name},
        ).fetchone()
        if row is None:
            return None
        return StoredEntity(json.loads(row["document"]), self._database.secrets(row["id"]))

    def replace(self, entity: StoredEntity) -> None:
        with self._database.transaction():
            self._database.execute(
                "UPDATE entities SET type = :type, project = :project, updated_at = :updated_at,"
                " document = :document WHERE id = :id",
                self._columns(entity.document),
            )
            self._database.keep_secrets(entity.document["id"], entity.secrets)

    def delete(self, entity_id: str) -> None:
        with self._database.transaction():
            self._database.execute("DELETE FROM entities WHERE id = :id", {"id": entity_id})
            self._database.forget_secrets(entity_id)

    def list(self, listing: Listing) -> tuple[list[dict[str, Any]], int]:
        found: Found = find(self._database, table="entities", listing=listing, kind=self._kind)
        return [json.loads(row["document"]) for row in found.rows], found.total

    def _columns(self, document: dict[str, Any]) -> dict[str, object]:
        return {
            "id": document["id"],
            "kind": self._kind,
            "namespace": document["namespace"],
            "name": document["name"],
            "type": document["type"],
            "project": document.get("project"),
            "created_at": document["created_at"],
            "updated_at": document["updated_at"],
            "document": json.dumps(document, allow_nan=False),
        }
