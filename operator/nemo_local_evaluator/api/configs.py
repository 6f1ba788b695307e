"""/v1/evaluation/configs"""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends

from nemo_local_evaluator.api.access import Access
from nemo_local_evaluator.api.answers import Answer
from nemo_local_evaluator.api.errors import refusals
from nemo_local_evaluator.api.listing import ListingQuery, page_of
from nemo_local_evaluator.schemas import Config, ConfigInput, DeleteResponse, Page
from nemo_local_evaluator.storage import Listing

router = APIRouter(prefix="/v1/evaluation/configs", tags=["configs"])

_listing = ListingQuery("namespace", "name", "type", "project", "custom_fields", "created_at")


@router.post("", status_code=201, responses={201: {"model": Config}, **refusals(409)})
async def create_config(services: Access, body: ConfigInput) -> Answer:
    return Answer(services.configs.create(body), status_code=201)


@router.get("", responses={200: {"model": Page}})
async def list_configs(services: Access, listing: Annotated[Listing, Depends(_listing)]) -> Answer:
    return Answer(page_of(*services.configs.list(listing), listing))


@router.get("/{namespace}/{name}", responses={200: {"model": Config}, **refusals(404)})
async def get_config(services: Access, namespace: str, name: str) -> Answer:
    return Answer(services.configs.get(namespace, name).document)


@router.patch("/{namespace}/{name}", responses={200: {"model": Config}, **refusals(400, 404)})
async def update_config(
    services: Access,
    namespace: str,
    name: str,
    patch: Annotated[dict[str, Any], Body(description="JSON merge patch (RFC 7396) of the config.")],
) -> Answer:
    return Answer(services.configs.patch(namespace, name, patch))


@router.delete("/{namespace}/{name}", responses=refusals(404, 409))
async def delete_config(services: Access, namespace: str, name: str) -> DeleteResponse:
    return DeleteResponse(id=services.configs.delete(namespace, name))
