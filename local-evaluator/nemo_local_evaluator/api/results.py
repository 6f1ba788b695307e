"""/v1/evaluation/results"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends

from nemo_local_evaluator.wire.result_schemas import Result, ResultInput
from nemo_local_evaluator.wire.schemas import DeleteResponse, Page

from .access import Access
from .answers import Answer
from .bodies import JsonRoute, Patch
from .error_handlers import refusals
from .list_queries import ListingQuery, ListQuery

__all__ = ["create_result", "delete_result", "get_result", "list_results", "router", "update_result"]

router = APIRouter(prefix="/v1/evaluation/results", tags=["results"], route_class=JsonRoute)

_listing: Final = ListingQuery(
    filters=("job_id", "namespace", "project", "custom_fields", "created_at"),
    searches=(
        *("id", "job", "namespace", "project", "description", "custom_fields", "ownership"),
        *("files_url", "tasks", "groups"),
    ),
)


@router.post("", status_code=201, responses={201: {"model": Result}, **refusals(400, 413)})
async def create_result(services: Access, body: ResultInput) -> Answer:
    return Answer(services.results.create(body), status_code=201)


@router.get("", responses={200: {"model": Page[Result]}}, openapi_extra=_listing.openapi)
async def list_results(services: Access, query: Annotated[ListQuery, Depends(_listing)]) -> Answer:
    return Answer(query.page(services.results.list(query.listing)))


@router.get("/{result_id}", responses={200: {"model": Result}, **refusals(404)})
async def get_result(services: Access, result_id: str) -> Answer:
    return Answer(services.results.get(result_id))


@router.patch("/{result_id}", responses={200: {"model": Result}, **refusals(400, 404, 413)})
async def update_result(services: Access, result_id: str, patch: Patch) -> Answer:
    return Answer(services.results.patch(result_id, patch))


@router.delete("/{result_id}", responses=refusals(404))
async def delete_result(services: Access, result_id: str) -> DeleteResponse:
    services.results.delete(result_id)
    return DeleteResponse(id=result_id)
