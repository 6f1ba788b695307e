"""Errors in FastAPI's own shape: {"detail": "..."}, or a list of places and messages for a bad body."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel

from nemo_local_evaluator.api.answers import Answer
from nemo_local_evaluator.errors import RequestRefusedError


class ErrorResponse(BaseModel):
    detail: str


def refusals(*codes: int) -> dict[int | str, dict[str, Any]]:
    """For the OpenAPI document."""
    return {code: {"model": ErrorResponse} for code in codes}


def install_error_handlers(app: FastAPI) -> None:
    @app.exception_handler(RequestRefusedError)
    async def refused(_request: Request, error: RequestRefusedError) -> Answer:
        return Answer({"detail": error.detail}, status_code=error.status_code)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> Answer:
        # FastAPI would echo the input, and with it any api_key of the body.
        errors = [{key: detail[key] for key in ("loc", "msg", "type")} for detail in error.errors()]
        return Answer({"detail": errors}, status_code=422)
