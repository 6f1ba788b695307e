"""Request bodies are JSON as in RFC 8259: no NaN, no Infinity, and bounded nesting.

Values that JSON cannot represent could not be returned either. A body is bounded in bytes while it is
received, and in parts before it is parsed; beyond either limit the answer is 413.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Annotated, Any, Final, NoReturn

from fastapi import Body, HTTPException, Request, Response
from fastapi.routing import APIRoute
from typing_extensions import override

from nemo_local_evaluator.wire.bounds import MAX_DOCUMENT_BYTES, TOO_LARGE, TOO_MANY_PARTS, has_too_many_parts
from nemo_local_evaluator.wire.depth import TOO_DEEP, is_too_deep
from nemo_local_evaluator.wire.errors import TooLarge

__all__ = ["JsonRoute", "Patch"]

Patch = Annotated[
    dict[str, Any], Body(description="JSON merge patch (RFC 7396): objects merge, null removes a field.")
]

HALF_A_PAIR: Final = re.compile("[\ud800-\udfff]")

MAX_DIGITS: Final = 300
"""Digits of a whole number; the largest float has 309."""


class _JsonRequest(Request):
    # FastAPI answers 400 for any other exception that reading a body raises.
    @override
    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yield the body's chunks. Raise HTTPException 413 at the first that exceeds MAX_DOCUMENT_BYTES."""
        if _announced_bytes(self) > MAX_DOCUMENT_BYTES:
            raise HTTPException(TooLarge.status_code, TOO_LARGE)
        received = 0
        async for chunk in super().stream():
            received += len(chunk)
            if received > MAX_DOCUMENT_BYTES:
                raise HTTPException(TooLarge.status_code, TOO_LARGE)
            yield chunk

    @override
    async def json(self) -> Any:
        text = (await self.body()).decode("utf-8-sig", "replace")
        if has_too_many_parts(text):
            raise HTTPException(TooLarge.status_code, TOO_MANY_PARTS)
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_whole)
        if is_too_deep(value):
            _refuse(TOO_DEEP)
        _check_keys(value)
        return value


class JsonRoute(APIRoute):
    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def with_strict_json(request: Request) -> Response:
            return await handler(_JsonRequest(request.scope, request.receive))

        return with_strict_json


def _announced_bytes(request: Request) -> int:
    length = request.headers.get("content-length", "")
    return int(length) if re.fullmatch("[0-9]{1,20}", length) else 0


def _check_keys(document: object) -> None:
    """Half a surrogate pair in a text is kept; pydantic has no keys with one."""
    nodes = [document]
    while nodes:
        match nodes.pop():
            case dict() as node:
                if any(HALF_A_PAIR.search(key) for key in node):
                    _refuse("a name has half a surrogate pair")
                nodes.extend(node.values())
            case list() as node:
                nodes.extend(node)
            case _:
                pass


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _refuse(f"{text[:40]} is too large for a number")
    return number


def _whole(text: str) -> int:
    """One that can be computed with: a larger one has no float."""
    if len(text) > MAX_DIGITS:
        _refuse(f"{text[:40]} is too large for a number")
    return int(text)


def _refuse_constant(constant: str) -> NoReturn:
    _refuse(f"{constant} is not a JSON value")


def _refuse(message: str) -> NoReturn:
    raise json.JSONDecodeError(message, "", 0)
