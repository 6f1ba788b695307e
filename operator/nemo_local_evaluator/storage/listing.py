"""Filters, order and pages as SQL. Names come from closed sets; every value is a bound parameter."""

from dataclasses import dataclass
from enum import StrEnum
from sqlite3 import Row
from typing import Literal

from nemo_local_evaluator.storage.database import Database


class Operator(StrEnum):
    EQ = "eq"
    NEQ = "neq"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"


_SIGNS = {
    Operator.EQ: "=",
    Operator.NEQ: "!=",
    Operator.GT: ">",
    Operator.GTE: ">=",
    Operator.LT: "<",
    Operator.LTE: "<=",
}
_COLUMNS = frozenset({"namespace", "name", "type", "project", "status", "config", "target", "created_at"})
_ORDERS = {
    "created_at": "created_at, rowid",
    "-created_at": "created_at DESC, rowid DESC",
    "updated_at": "updated_at, rowid",
    "-updated_at": "updated_at DESC, rowid DESC",
}
_CUSTOM_FIELD = """EXISTS (
    SELECT 1 FROM json_each(document, '$.custom_fields')
    WHERE key = :{key} AND :{value} = CASE type
        WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST(value AS TEXT) END
)"""

Sort = Literal["created_at", "-created_at", "updated_at", "-updated_at"]


@dataclass(frozen=True, kw_only=True)
class Condition:
    field: str
    value: str
    operator: Operator = Operator.EQ
    key: str | None = None
    """The custom field's name, where `field` is custom_fields."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    page: int
    page_size: int
    sort: Sort
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Found:
    rows: list[Row]
    total: int


def find(
    database: Database, *, table: Literal["entities", "jobs"], listing: Listing, kind: str | None = None
) -> Found:
    clauses, parameters = _where(listing.conditions)
    if kind is not None:
        clauses.append("kind = :kind")
        parameters["kind"] = kind
    where = " AND ".join(clauses) or "TRUE"
    total = database.execute(f"SELECT count(*) FROM {table} WHERE {where}", parameters).fetchone()[0]  # noqa: S608
    rows = database.execute(
        f"SELECT * FROM {table} WHERE {where} ORDER BY {_ORDERS[listing.sort]} LIMIT :limit OFFSET :offset",  # noqa: S608
        {
            **parameters,
            "limit": listing.page_size,
            "offset": (listing.page - 1) * listing.page_size,
        },
    ).fetchall()
    return Found(rows, total)


def _where(conditions: tuple[Condition, ...]) -> tuple[list[str], dict[str, object]]:
    clauses: list[str] = []
    parameters: dict[str, object] = {}
    for number, condition in enumerate(conditions):
        value, key = f"value_{number}", f"key_{number}"
        parameters[value] = condition.value
        if condition.field == "custom_fields":
            parameters[key] = condition.key
            clauses.append(_CUSTOM_FIELD.format(key=key, value=value))
        elif condition.field in _COLUMNS:
            clauses.append(f"{condition.field} {_SIGNS[condition.operator]} :{value}")
        else:
            msg = f"no column for filter {condition.field!r}"
            raise ValueError(msg)
    return clauses, parameters
