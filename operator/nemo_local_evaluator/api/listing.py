"""Query parameters of the lists: page, page_size, sort and filter[...].

A filter that is not known is refused: to ignore it would be to answer with things not asked for.
"""

import re
from datetime import datetime
from typing import Annotated, Any, NoReturn

from fastapi import Query, Request
from fastapi.exceptions import RequestValidationError

from nemo_local_evaluator import identity
from nemo_local_evaluator.storage import Condition, Listing, Operator
from nemo_local_evaluator.storage.listing import Sort

MAX_PAGE_SIZE = 1000
_PARAMETER = re.compile(r"(?P<group>filter|search)\[(?P<field>\w+)\](?:\[(?P<key>[^\]]+)\])?")


class ListingQuery:
    """A dependency that reads a Listing, for a resource with these filters."""

    def __init__(self, *fields: str) -> None:
        self._fields = fields

    async def __call__(
        self,
        request: Request,
        page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
        page_size: Annotated[int, Query(ge=1, description=f"At most {MAX_PAGE_SIZE}; more is cut.")] = 10,
        sort: Sort = "-created_at",
    ) -> Listing:
        conditions = tuple(
            self._condition(name, value)
            for name, value in request.query_params.multi_items()
            if name.partition("[")[0] in {"filter", "search"}
        )
        return Listing(page=page, page_size=min(page_size, MAX_PAGE_SIZE), sort=sort, conditions=conditions)

    def _condition(self, name: str, value: str) -> Condition:
        match = _PARAMETER.fullmatch(name)
        if match is None or match["group"] != "filter" or match["field"] not in self._fields:
            _refuse(
                name, f"not supported; known are {', '.join(f'filter[{field}]' for field in self._fields)}"
            )
        field, key = match["field"], match["key"]
        if field == "custom_fields":
            if key is None:
                _refuse(name, "needs the custom field's name: filter[custom_fields][<name>]")
            return Condition(field=field, key=key, value=value)
        if field == "created_at":
            if key is not None and key not in set(Operator):
                _refuse(name, f"operator must be one of {', '.join(Operator)}")
            return Condition(field=field, operator=Operator(key or "eq"), value=_time(name, value))
        if key is not None:
            _refuse(name, f"takes no [{key}]")
        return Condition(field=field, value=value)


def page_of(documents: list[dict[str, Any]], total: int, listing: Listing) -> dict[str, Any]:
    return {
        "object": "list",
        "data": documents,
        "pagination": {
            "page": listing.page,
            "page_size": listing.page_size,
            "current_page_size": len(documents),
            "total_pages": -(-total // listing.page_size),
            "total_results": total,
        },
        "sort": listing.sort,
        "filter": _echo(listing.conditions),
        "search": {},
    }


def _echo(conditions: tuple[Condition, ...]) -> dict[str, Any]:
    echo: dict[str, Any] = {}
    for condition in conditions:
        if condition.field in {"custom_fields", "created_at"}:
            key = condition.key or condition.operator.value
            echo.setdefault(condition.field, {})[key] = condition.value
        else:
            echo[condition.field] = condition.value
    return echo


def _time(name: str, value: str) -> str:
    try:
        return identity.to_wire(datetime.fromisoformat(value))
    except ValueError:
        _refuse(name, "is not an ISO 8601 time")


def _refuse(name: str, message: str) -> NoReturn:
    raise RequestValidationError([{"loc": ("query", name), "msg": message, "type": "value_error"}])
