"""/v1/evaluation/targets"""

from typing import Annotated, Final

from fastapi import APIRouter, Depends

from nemo_local_evaluator.api.access import Access
from nemo_local_evaluator.api.answers import Answer
from nemo_local_evaluator.api.bodies import JsonRoute, Patch
from nemo_local_evaluator.api.error_handlers import refusals
from nemo_local_evaluator.api.list_queries import ListingQuery, ListQuery
from nemo_local_evaluator.wire.schemas import DeleteResponse, Page, Target, TargetInput

router = APIRouter(prefix="/v1/evaluation/targets", tags=["targets"], route_class=JsonRoute)

_listing: Final = ListingQuery(
    filters=("namespace", "name", "type", "model", "project", "custom_fields", "created_at"),
    searches=(
        *("id", "namespace", "name", "type", "project", "description", "custom_fields", "ownership"),
        *("model", "dataset", "cached_outputs", "rag", "retriever", "rows"),
    ),
)


@router.post("", status_code=201, responses={201: {"model": Target}, **refusals(400, 409, 413)})
async def create_target(services: Access, body: TargetInput) -> Answer:
    return Answer(services.targets.create(body), status_code=201)


@router.get("", responses={200: {"model": Page[Target]}}, openapi_extra=_listing.openapi)
async def list_targets(services: Access, query: Annotated[ListQuery, Depends(_listing)]) -> Answer:
    return Answer(query.page(services.targets.list(query.listing)))


@router.get("/{namespace}/{name}", responses={200: {"model": Target}, **refusals(404)})
async def get_target(services: Access, namespace: str, name: str) -> Answer:
    return Answer(services.targets.get(namespace, name).document)


@router.patch("/{namespace}/{name}", responses={200: {"model": Target}, **refusals(400, 404, 413)})
async def update_target(services: Access, namespace: str, name: str, patch: Patch) -> Answer:
    return Answer(services.targets.patch(namespace, name, patch))


@router.delete("/{namespace}/{name}", responses=refusals(404, 409))
async def delete_target(services: Access, namespace: str, name: str) -> DeleteResponse:
    return DeleteResponse(id=services.targets.delete(namespace, name))
