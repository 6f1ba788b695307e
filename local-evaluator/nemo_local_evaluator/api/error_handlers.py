"""Errors in FastAPI's own shape: {"detail": "..."}, or a list of places and messages for a bad body."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from nemo_local_evaluator.wire.errors import RequestRefused

from .answers import Answer

__all__ = ["ErrorResponse", "install_error_handlers", "refusals"]


class ErrorResponse(BaseModel):
    detail: str


def refusals(*codes: int) -> dict[int | str, dict[str, Any]]:
    """For the OpenAPI document."""
    return {code: {"model": ErrorResponse} for code in codes}


def install_error_handlers(app: FastAPI) -> None:
    @app.exception_handler(RequestRefused)
    async def refused(_request: Request, error: RequestRefused) -> Answer:
        return Answer({"detail": error.detail}, status_code=error.status_code)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> Answer:
        # FastAPI would echo the input, and with it any api_key of the body.
        errors = [{key: detail[key] for key in ("loc", "msg", "type")} for detail in error.errors()]
        return Answer({"detail": errors}, status_code=422)

    @app.exception_handler(HTTPException)
    async def no_route(request: Request, error: HTTPException) -> Answer:
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            # Starlette names the methods of one route only, and here each method is a route.
            headers["Allow"] = ", ".join(_methods(request))
        return Answer({"detail": error.detail}, status_code=error.status_code, headers=headers)


def _methods(request: Request) -> list[str]:
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    matching = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for route in matching for method in route.methods or ()})
