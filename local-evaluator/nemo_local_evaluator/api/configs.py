"""/v1/evaluation/configs"""

from typing import Annotated, Final

from fastapi import APIRouter, Depends

from nemo_local_evaluator.api.access import Access
from nemo_local_evaluator.api.answers import Answer
from nemo_local_evaluator.api.bodies import JsonRoute, Patch
from nemo_local_evaluator.api.error_handlers import refusals
from nemo_local_evaluator.api.list_queries import ListingQuery, ListQuery
from nemo_local_evaluator.wire.schemas import Config, ConfigInput, DeleteResponse, Page

router = APIRouter(prefix="/v1/evaluation/configs", tags=["configs"], route_class=JsonRoute)

_listing: Final = ListingQuery(
    filters=("namespace", "name", "type", "project", "custom_fields", "created_at"),
    searches=(
        *("id", "namespace", "name", "type", "project", "description", "custom_fields", "ownership"),
        *("params", "tasks", "groups"),
    ),
)


@router.post("", status_code=201, responses={201: {"model": Config}, **refusals(400, 409, 413)})
async def create_config(services: Access, body: ConfigInput) -> Answer:
    return Answer(services.configs.create(body), status_code=201)


@router.get("", responses={200: {"model": Page[Config]}}, openapi_extra=_listing.openapi)
async def list_configs(services: Access, query: Annotated[ListQuery, Depends(_listing)]) -> Answer:
    return Answer(query.page(services.configs.list(query.listing)))


@router.get("/{namespace}/{name}", responses={200: {"model": Config}, **refusals(404)})
async def get_config(services: Access, namespace: str, name: str) -> Answer:
    return Answer(services.configs.get(namespace, name).document)


@router.patch("/{namespace}/{name}", responses={200: {"model": Config}, **refusals(400, 404, 413)})
async def update_config(services: Access, namespace: str, name: str, patch: Patch) -> Answer:
    return Answer(services.configs.patch(namespace, name, patch))


@router.delete("/{namespace}/{name}", responses=refusals(404, 409))
async def delete_config(services: Access, namespace: str, name: str) -> DeleteResponse:
    return DeleteResponse(id=services.configs.delete(namespace, name))
