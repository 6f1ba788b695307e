"""Filters, searches, order and pages as SQL. Names come from closed sets; every value is bound."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from sqlite3 import Row
from typing import Final, Literal

from .database import Database
from .document_rows import Kind

__all__ = ["Condition", "Found", "Listing", "Operator", "Search", "Sort", "Table", "find"]


class Operator(StrEnum):
    EQ = "eq"
    NEQ = "neq"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"


_SIGNS: Final = {
    Operator.EQ: "=",
    Operator.NEQ: "!=",
    Operator.GT: ">",
    Operator.GTE: ">=",
    Operator.LT: "<",
    Operator.LTE: "<=",
}
# The row number parts what was created within one microsecond, and lies in every index.
_ORDERS: Final = {
    "created_at": "created_at, {table}.rowid",
    "-created_at": "created_at DESC, {table}.rowid DESC",
    "updated_at": "updated_at, {table}.rowid",
    "-updated_at": "updated_at DESC, {table}.rowid DESC",
}
_CUSTOM_FIELD: Final = """id IN (
    SELECT owner FROM custom_fields WHERE kind = :kind AND name = :{path} AND value = :{value}
)"""
_DOCUMENT: Final = "(SELECT document FROM documents WHERE owner = id)"

Sort = Literal["created_at", "-created_at", "updated_at", "-updated_at"]


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Filter for exactly this value."""

    field: str
    path: tuple[str, ...] = ()
    """Keys beneath the field: the name of a custom field, or a way into the document."""
    operator: Operator = Operator.EQ
    value: str


@dataclass(frozen=True, kw_only=True)
class Search:
    """Search for any of these values as a substring, ignoring the case of ASCII letters."""

    field: str
    path: tuple[str, ...] = ()
    values: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Listing:
    page: int
    page_size: int
    sort: Sort
    conditions: tuple[Condition, ...] = ()
    searches: tuple[Search, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Table:
    name: Literal["entities", "jobs", "results"]
    kind: Kind
    columns: frozenset[str]
    """What is found without looking into documents."""
    aliases: Mapping[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)
    """What a filter finds at one of several places in the document: field and path, and the JSON paths."""

    searched: Mapping[str, str] = field(default_factory=dict)
    """JSON that searches look into where a field is not in the document; `{value}` stands for `files_url`."""
    files_url: str = ""

    @property
    def scope(self) -> str:
        return "kind = :kind" if self.name == "entities" else "TRUE"


@dataclass(frozen=True)
class Found:
    rows: list[Row]
    total: int


def find(database: Database, table: Table, listing: Listing) -> Found:
    query = _Query(table)
    for condition in listing.conditions:
        query.add(condition)
    for search in listing.searches:
        query.search(search)
    source, where = f"FROM {table.name}", f"WHERE {query.where}"
    order = "ORDER BY " + _ORDERS[listing.sort].format(table=table.name)
    total = database.execute(_joined("SELECT count(*)", source, where), query.parameters)
    # The page is found in indexes; only its own rows and documents are read.
    page = _joined("SELECT rowid", source, where, order, "LIMIT :limit OFFSET :offset")
    rows = database.execute(
        _joined(
            f"SELECT {table.name}.*, document",
            source,
            "JOIN documents ON owner = id",
            f"WHERE {table.name}.rowid IN ({page})",
            order,
        ),
        query.parameters | {"limit": listing.page_size, "offset": (listing.page - 1) * listing.page_size},
    )
    return Found(rows.fetchall(), total.fetchone()[0])


def _joined(*clauses: str) -> str:
    return " ".join(clauses)


class _Query:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._clauses = [table.scope]
        self.parameters: dict[str, object] = {"kind": table.kind}

    @property
    def where(self) -> str:
        return " AND ".join(self._clauses)

    def add(self, condition: Condition) -> None:
        value, sign = self._bind(condition.value), _SIGNS[condition.operator]
        if condition.field == "custom_fields":
            (name,) = condition.path
            self._clauses.append(_CUSTOM_FIELD.format(path=self._bind(name), value=value))
        elif places := self._table.aliases.get((condition.field, *condition.path)):
            texts = ", ".join(f"{_DOCUMENT} ->> :{self._bind(place)}" for place in places)
            self._clauses.append(f":{value} IN ({texts})")
        elif condition.path:
            path = self._bind(_json_path(condition.field, *condition.path))
            text = f"CAST({_DOCUMENT} ->> :{path} AS TEXT) {sign} :{value}"
            if condition.operator is Operator.EQ:
                # A boolean is 1 as a value and `true` as JSON.
                text = f"({text} OR {_DOCUMENT} -> :{path} = :{value})"
            self._clauses.append(text)
        elif condition.field in self._table.columns:
            self._clauses.append(f"{condition.field} {sign} :{value}")
        else:
            raise ValueError(f"no column for filter {condition.field!r}")

    def search(self, search: Search) -> None:
        source, keys = _DOCUMENT, (search.field, *search.path)
        if expression := self._table.searched.get(search.field):
            source, keys = expression.format(value=self._bind(self._table.files_url)), search.path
        path = self._bind(_json_path(*keys))
        found = []
        for value in search.values:
            plain = self._bind(_pattern(value))
            # Within an object or list the document's own JSON is searched, which is ASCII.
            escaped = self._bind(_pattern(json.dumps(value)[1:-1]))
            if search.field in self._table.columns and not search.path:
                found.append(f"{search.field} LIKE :{plain} ESCAPE '\\'")
            found.append(f"{source} ->> :{path} LIKE :{plain} ESCAPE '\\'")
            found.append(f"{source} -> :{path} LIKE :{escaped} ESCAPE '\\'")
        self._clauses.append(f"({' OR '.join(found)})")

    def _bind(self, value: str) -> str:
        name = f"value_{len(self.parameters)}"
        self.parameters[name] = value
        return name


def _json_path(*keys: str) -> str:
    return "$" + "".join(f'."{key}"' for key in keys)


def _pattern(value: str) -> str:
    for special in ("\\", "%", "_"):
        value = value.replace(special, "\\" + special)
    return f"%{value}%"
