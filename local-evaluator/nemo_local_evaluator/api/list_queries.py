"""Query parameters of the lists: page, page_size, sort, filter[...] and search[...].

A filter that is not known is refused: to ignore it would be to answer with things not asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, NoReturn

from fastapi import Query, Request
from fastapi.exceptions import RequestValidationError

from nemo_local_evaluator.storage import Condition, Listing, Operator, Search, Sort
from nemo_local_evaluator.wire import identity

__all__ = ["ENTITY_FILTERS", "MAX_PAGE_SIZE", "ListQuery", "ListingQuery"]

MAX_PAGE_SIZE: Final = 1000
MAX_VALUE_LENGTH: Final = 1000
"""Characters of one filter or search; SQLite refuses patterns that are much longer."""

MAX_CONDITIONS: Final = 50
"""Filters of one list, and words to search for; SQLite refuses statements of a thousand."""

# No quotes, backslashes or control characters: such a key has no JSON path in SQLite.
_KEY: Final = r"\[([^\[\]\"\\\x00-\x1f]+)\]"
_PARAMETER: Final = re.compile(rf"(filter|search)((?:{_KEY})+)")
_TIMES: Final = ("created_at", "updated_at")
_RANGE: Final = {"start": Operator.GTE, "end": Operator.LTE}
ENTITY_FILTERS: Final = {
    "config": ("name", "namespace", "project", "type", "custom_fields", "created_at"),
    "target": ("name", "namespace", "project", "type", "model", "custom_fields", "created_at"),
}
"""Fields by which lists of configs and targets are filtered, and lists of jobs by their config or target."""


@dataclass(frozen=True)
class ListQuery:
    listing: Listing
    filter: dict[str, Any]
    search: dict[str, Any]

    def page(self, found: tuple[list[dict[str, Any]], int]) -> dict[str, Any]:
        """As it is answered; `found` are the page's documents, and how many there are on all pages."""
        documents, total = found
        return {
            "object": "list",
            "data": documents,
            "pagination": {
                "page": self.listing.page,
                "page_size": self.listing.page_size,
                "current_page_size": len(documents),
                "total_pages": -(-total // self.listing.page_size),
                "total_results": total,
            },
            "sort": self.listing.sort,
            "filter": self.filter,
            "search": self.search,
        }


class ListingQuery:
    """A dependency that reads a ListQuery, for a resource with these filters and searches."""

    def __init__(self, *, filters: Sequence[str], searches: Sequence[str]) -> None:
        self._filters = filters
        self._searches = (*searches, *_TIMES)

    async def __call__(
        self,
        request: Request,
        page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
        page_size: Annotated[
            int, Query(ge=1, le=1_000_000, description=f"At most {MAX_PAGE_SIZE}; more is cut.")
        ] = 10,
        sort: Sort = "-created_at",
    ) -> ListQuery:
        reading = _Reading(self._filters, self._searches)
        for name in dict.fromkeys(request.query_params):
            if name.partition("[")[0] in {"filter", "search"}:
                reading.add(name, request.query_params.getlist(name))
        listing = Listing(
            page=page,
            page_size=min(page_size, MAX_PAGE_SIZE),
            sort=sort,
            conditions=tuple(reading.conditions),
            searches=tuple(reading.substrings),
        )
        return ListQuery(listing, reading.filter, reading.search)

    @property
    def openapi(self) -> dict[str, Any]:
        """The parameters that FastAPI cannot see."""
        parameters = [_parameter(f"filter[{field}]", _exact(field)) for field in self._filters]
        parameters += [
            _parameter(f"search[{field}]", _time_range() if field in _TIMES else _text())
            for field in self._searches
        ]
        return {"parameters": parameters}


class _Reading:
    """Conditions and searches as they are found, and both once more as the answer repeats them."""

    def __init__(self, filters: Sequence[str], searches: Sequence[str]) -> None:
        self._filters = filters
        self._searches = searches
        self.conditions: list[Condition] = []
        self.substrings: list[Search] = []
        self.filter: dict[str, Any] = {}
        self.search: dict[str, Any] = {}
        self._words = 0

    def add(self, name: str, values: list[str]) -> None:
        group, keys = _split(name)
        if len(self.conditions) >= MAX_CONDITIONS:
            _refuse(name, f"is one of more than {MAX_CONDITIONS} filters")
        if any(len(value) > MAX_VALUE_LENGTH for value in values):
            _refuse(name, f"is longer than {MAX_VALUE_LENGTH} characters")
        if group == "filter":
            self._add_filter(name, keys, values)
        else:
            self._add_search(name, keys, values)

    def _add_filter(self, name: str, keys: tuple[str, ...], values: list[str]) -> None:
        if len(values) > 1:
            _refuse(name, "is given more than once")
        condition = _condition(name, keys, values[0], known=self._filters)
        self.conditions.append(condition)
        _nest(name, self.filter, keys, condition.value)

    def _add_search(self, name: str, keys: tuple[str, ...], values: list[str]) -> None:
        field, *path = keys
        if field not in self._searches:
            _refuse_unknown(name, "search", self._searches)
        if field in _TIMES:
            bound = _bound(name, keys, values)
            self.conditions.append(bound)
            _nest(name, self.search, keys, bound.value)
            return
        # NVIDIA's client joins values with commas, its documentation repeats the parameter.
        words = tuple(word for value in values for word in value.split(",") if word)
        self._words += len(words)
        if self._words > MAX_CONDITIONS:
            _refuse(name, f"makes more than {MAX_CONDITIONS} words to search for")
        if words:
            self.substrings.append(Search(field=field, path=tuple(path), values=words))
        _nest(name, self.search, keys, ",".join(values))


def _split(name: str) -> tuple[str, tuple[str, ...]]:
    match = _PARAMETER.fullmatch(name)
    if match is None:
        _refuse(name, "is not of the form filter[<field>] or search[<field>]")
    return match[1], tuple(re.findall(_KEY, match[2]))


def _condition(name: str, keys: tuple[str, ...], value: str, *, known: Sequence[str]) -> Condition:
    field, *path = keys
    if field not in known:
        _refuse_unknown(name, "filter", known)
    if path and (entity := ENTITY_FILTERS.get(field)):
        inner = _condition(name, tuple(path), value, known=entity)
        return Condition(
            field=field, path=(inner.field, *inner.path), operator=inner.operator, value=inner.value
        )
    if field == "custom_fields":
        if len(path) != 1:
            _refuse(name, "needs the custom field's name: filter[custom_fields][<name>]")
        return Condition(field=field, path=tuple(path), value=value)
    if field == "created_at":
        operator = path[0] if path else "eq"
        if len(path) > 1 or operator not in set(Operator):
            _refuse(name, f"operator must be one of {', '.join(Operator)}")
        return Condition(field=field, operator=Operator(operator), value=_time(name, value))
    if path:
        _refuse(name, f"takes no [{path[0]}]")
    return Condition(field="job" if field == "job_id" else field, value=value)


def _bound(name: str, keys: tuple[str, ...], values: Sequence[str]) -> Condition:
    field, *path = keys
    if len(path) != 1 or path[0] not in _RANGE or len(values) > 1:
        _refuse(name, f"needs one bound: search[{field}][start] or search[{field}][end]")
    return Condition(field=field, operator=_RANGE[path[0]], value=_time(name, values[0]))


def _nest(name: str, echo: dict[str, Any], keys: tuple[str, ...], value: str) -> None:
    *path, last = keys
    for key in path:
        echo = echo.setdefault(key, {})
        if not isinstance(echo, dict):
            _refuse(name, f"contradicts [{key}] as a single value")
    if last in echo:
        _refuse(name, f"contradicts [{last}] as an object")
    echo[last] = value


def _time(name: str, value: str) -> str:
    try:
        return identity.to_wire(datetime.fromisoformat(value))
    except (ValueError, OverflowError):
        _refuse(name, "is not an ISO 8601 time")


def _refuse_unknown(name: str, group: str, known: Sequence[str]) -> NoReturn:
    _refuse(name, f"not supported; known are {', '.join(f'{group}[{field}]' for field in known)}")


def _refuse(name: str, message: str) -> NoReturn:
    raise RequestValidationError([{"loc": ("query", name), "msg": message, "type": "value_error"}])


def _parameter(name: str, shape: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, **shape}


def _exact(field: str) -> dict[str, Any]:
    if field == "created_at":
        times = {operator.value: _time_schema() for operator in Operator}
        return _object({"properties": times, "additionalProperties": False})
    if field == "custom_fields":
        return _object({"propertyNames": _key_schema(), "additionalProperties": _text_schema()})
    return {"schema": _text_schema()}


def _text() -> dict[str, Any]:
    return {
        "schema": _text_schema(),
        "description": "Substring; several, joined by commas, are alternatives. Keys beneath the field"
        " may be named: search[field][key].",
    }


def _time_range() -> dict[str, Any]:
    bounds = {bound: _time_schema() for bound in _RANGE}
    return _object({"properties": bounds, "additionalProperties": False})


def _object(schema: dict[str, Any]) -> dict[str, Any]:
    return {"style": "deepObject", "explode": True, "schema": {"type": "object", **schema}}


def _key_schema() -> dict[str, Any]:
    return {"type": "string", "pattern": r"^[A-Za-z0-9_.-]+$"}


def _text_schema() -> dict[str, Any]:
    return {"type": "string", "maxLength": MAX_VALUE_LENGTH}


def _time_schema() -> dict[str, Any]:
    return {"type": "string", "format": "date-time"}
