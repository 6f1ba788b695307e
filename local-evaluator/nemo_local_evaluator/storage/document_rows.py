"""Documents of all kinds and their custom fields, by which they are found: tables shared by all stores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from sqlite3 import Row
from typing import Any, Literal

from .database import Database

__all__ = ["Kind", "forget", "keep", "parse", "read"]

Kind = Literal["config", "target", "job", "result"]


def keep(database: Database, kind: Kind, document: Mapping[str, Any]) -> None:
    """Inside a transaction of the caller's; replaces what is there under the document's id."""
    owner = document["id"]
    forget(database, owner)
    database.execute(
        "INSERT INTO documents VALUES (:owner, :document)",
        {"owner": owner, "document": json.dumps(document, allow_nan=False)},
    )
    for name, value in (document.get("custom_fields") or {}).items():
        database.execute(
            "INSERT OR IGNORE INTO custom_fields VALUES (:kind, :name, :value, :owner)",
            {"kind": kind, "name": name, "value": _text(value), "owner": owner},
        )


def read(database: Database, owner: str) -> dict[str, Any] | None:
    row = database.execute("SELECT document FROM documents WHERE owner = :owner", {"owner": owner}).fetchone()
    return None if row is None else parse(row)


def parse(row: Row) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(row["document"])
    return document


def forget(database: Database, owner: str) -> None:
    """Inside a transaction of the caller's."""
    database.execute("DELETE FROM documents WHERE owner = :owner", {"owner": owner})
    database.execute("DELETE FROM custom_fields WHERE owner = :owner", {"owner": owner})


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
