"""Errors in FastAPI's own shape: {"detail": "..."}, or a list of places and messages for a bad body."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from nemo_local_evaluator.errors import RequestRefusedError


class ErrorResponse(BaseModel):
    detail: str


def refusals(*codes: int) -> dict[int | str, dict[str, Any]]:
    """For the OpenAPI document."""
    return {code: {"model": ErrorResponse} for code in codes}


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestRefusedError):
        raise TypeError(type(error).__name__)
    return JSONResponse({"detail": error.detail}, status_code=error.status_code)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise TypeError(type(error).__name__)
    # FastAPI would echo the input, and with it any api_key of the body.
    errors = [{key: detail[key] for key in ("loc", "msg", "type")} for detail in error.errors()]
    return JSONResponse({"detail": errors}, status_code=422)


def install_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(RequestRefusedError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
