"""Bodies are JSON as RFC 8259 has it: no NaN, no Infinity, no nesting that only an attack would need.

What cannot be written as JSON could not be answered either.
"""

import json
import math
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final, NoReturn

from fastapi import Body, Request, Response
from fastapi.routing import APIRoute
from typing_extensions import override

__all__ = ["JsonRoute", "Patch"]

Patch = Annotated[
    dict[str, Any], Body(description="JSON merge patch (RFC 7396): objects merge, null removes a field.")
]

MAX_DEPTH: Final = 100
"""Objects and lists within each other; Python's own limit lies near 1,000, for all that walk a document."""


class _JsonRequest(Request):
    @override
    async def json(self) -> Any:
        text = (await self.body()).decode("utf-8-sig", "replace")
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
        _check_depth(value)
        return value


class JsonRoute(APIRoute):
    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def with_strict_json(request: Request) -> Response:
            return await handler(_JsonRequest(request.scope, request.receive))

        return with_strict_json


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return
    _refuse(f"more than {MAX_DEPTH} objects and lists within each other")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _refuse(f"{text[:40]} is too large for a number")
    return number


def _refuse_constant(constant: str) -> NoReturn:
    _refuse(f"{constant} is no value of JSON")


def _refuse(message: str) -> NoReturn:
    raise json.JSONDecodeError(message, "", 0)
