"""Quirks that show at the edge only: requests and answers are bent on their way, and no route knows."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from starlette.middleware.base import RequestResponseEndpoint

from nemo_local_evaluator.wire.quirks import Quirk

from .answers import Answer

__all__ = ["install_quirks"]

_LIST: Final = re.compile(r"/v1/evaluation/(configs|targets|jobs|results)")
_ENTITIES: Final = r"/v1/evaluation/(configs|targets)"
_JOBS: Final = r"/v1/evaluation/jobs"
_CANCEL: Final = rf"{_JOBS}/[^/]+/cancel"

_PAGE_SIZE_CAP: Final = 10
_DOCUMENTED: Final = ("namespace", "status", "created_at", "target", "config")


@dataclass(frozen=True, kw_only=True)
class _Missing:
    """The route is not there."""

    method: str
    path: str
    status: int
    detail: str


@dataclass(frozen=True, kw_only=True)
class _Answered:
    """The answer `status` becomes another."""

    method: str
    path: str
    status: int
    answer: Callable[[Response], Response]


_MISSING: Final = {
    Quirk.PATCH_405: _Missing(
        method="PATCH", path=r"/v1/evaluation/.*", status=405, detail="Method Not Allowed"
    ),
    Quirk.CANCEL_404: _Missing(method="POST", path=_CANCEL, status=404, detail="Not Found"),
    Quirk.CANCEL_405: _Missing(method="POST", path=_CANCEL, status=405, detail="Method Not Allowed"),
    Quirk.CANCEL_501: _Missing(method="POST", path=_CANCEL, status=501, detail="Not Implemented"),
}


def _with_status(status: int) -> Callable[[Response], Response]:
    def answer(response: Response) -> Response:
        response.status_code = status
        return response

    return answer


def _nothing(_response: Response) -> Response:
    return Response(status_code=204)


def _empty_object(_response: Response) -> Response:
    return Answer({})


_ANSWERED: Final = {
    Quirk.CREATE_200: _Answered(
        method="POST", path=r"/v1/evaluation/\w+", status=201, answer=_with_status(200)
    ),
    Quirk.DUPLICATE_400: _Answered(method="POST", path=_ENTITIES, status=409, answer=_with_status(400)),
    Quirk.DUPLICATE_422: _Answered(method="POST", path=_ENTITIES, status=409, answer=_with_status(422)),
    Quirk.LAUNCH_REFUSED_422: _Answered(method="POST", path=_JOBS, status=400, answer=_with_status(422)),
    Quirk.CANCEL_204: _Answered(method="POST", path=_CANCEL, status=200, answer=_nothing),
    Quirk.CANCEL_EMPTY: _Answered(method="POST", path=_CANCEL, status=200, answer=_empty_object),
    Quirk.DELETE_JOB_204: _Answered(method="DELETE", path=rf"{_JOBS}/[^/]+", status=200, answer=_nothing),
}


def install_quirks(app: FastAPI, quirks: frozenset[Quirk]) -> None:
    missing = [_MISSING[quirk] for quirk in quirks & _MISSING.keys()]
    answered = [_ANSWERED[quirk] for quirk in quirks & _ANSWERED.keys()]

    async def bend(request: Request, call_next: RequestResponseEndpoint) -> Response:
        method, path = request.method, request.url.path
        for one in missing:
            if method == one.method and re.fullmatch(one.path, path):
                return Answer({"detail": one.detail}, status_code=one.status)
        if method == "GET" and (listed := _LIST.fullmatch(path)):
            _bend_query(request, quirks, of_jobs=listed[1] == "jobs")
        response = await call_next(request)
        for other in answered:
            if (method, response.status_code) == (other.method, other.status) and re.fullmatch(
                other.path, path
            ):
                return other.answer(response)
        return response

    if quirks:
        app.middleware("http")(bend)


def _bend_query(request: Request, quirks: frozenset[Quirk], *, of_jobs: bool) -> None:
    items = [
        (name, value)
        for name, value in request.query_params.multi_items()
        if not _ignored(name, quirks, of_jobs=of_jobs)
    ]
    if Quirk.OLDEST_FIRST in quirks and "sort" not in dict(items):
        items.append(("sort", "created_at"))
    if Quirk.PAGE_SIZE_CAPPED in quirks:
        items = [(name, _capped(value) if name == "page_size" else value) for name, value in items]
    request.scope["query_string"] = urlencode(items).encode()


def _capped(page_size: str) -> str:
    """Values that are not numbers are left for the route to refuse."""
    return str(min(int(page_size), _PAGE_SIZE_CAP)) if re.fullmatch(r"[0-9]{1,9}", page_size) else page_size


def _ignored(name: str, quirks: frozenset[Quirk], *, of_jobs: bool) -> bool:
    group, _, rest = name.partition("[")
    if group == "sort":
        return Quirk.SORT_IGNORED in quirks
    if group != "filter":
        return False
    undocumented = of_jobs and rest.partition("]")[0] not in _DOCUMENTED
    return Quirk.FILTERS_IGNORED in quirks or (undocumented and Quirk.UNDOCUMENTED_FILTERS_IGNORED in quirks)
