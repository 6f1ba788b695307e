"""Routes of /v1/evaluation/configs and /v1/evaluation/targets: they differ in models and fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from nemo_local_evaluator.services import CONFIG, TARGET, EntityKind, EntityService, Services
from nemo_local_evaluator.wire.schemas import Config, DeleteResponse, EntityInput, Page, Target

from .access import Access
from .answers import Answer
from .bodies import JsonRoute, Patch
from .error_handlers import refusals
from .list_queries import ENTITY_FILTERS, ListingQuery, ListQuery

__all__ = ["configs", "targets"]

Input = TypeVar("Input", bound=EntityInput)

_SEARCHES: Final = ("id", "namespace", "name", "type", "project", "description", "custom_fields", "ownership")


def _router(
    kind: EntityKind[Input],
    service: Callable[[Services], EntityService[Input]],
    *,
    page: type[BaseModel],
    searches: Iterable[str],
) -> APIRouter:
    """Return the routes of one kind. `searches` are fields that only this kind has."""
    router = APIRouter(prefix=f"/v1/evaluation/{kind.name}s", tags=[f"{kind.name}s"], route_class=JsonRoute)
    listing = ListingQuery(filters=ENTITY_FILTERS[kind.name], searches=(*_SEARCHES, *searches))
    one = "/{namespace}/{name}"
    entity: dict[int | str, dict[str, Any]] = {200: {"model": kind.model}}

    async def create(services: Access, body: Input) -> Answer:
        return Answer(service(services).create(body), status_code=201)

    @router.get(
        "",
        name=f"list_{kind.name}s",
        responses={200: {"model": page}},
        openapi_extra=listing.openapi,
    )
    async def find(services: Access, query: ListQuery = Depends(listing)) -> Answer:
        return Answer(query.page(service(services).list(query.listing)))

    @router.get(one, name=f"get_{kind.name}", responses={**entity, **refusals(404)})
    async def get(services: Access, namespace: str, name: str) -> Answer:
        return Answer(service(services).get(namespace, name).document)

    @router.patch(one, name=f"update_{kind.name}", responses={**entity, **refusals(400, 404, 413)})
    async def update(services: Access, namespace: str, name: str, patch: Patch) -> Answer:
        return Answer(service(services).patch(namespace, name, patch))

    @router.delete(one, name=f"delete_{kind.name}", responses=refusals(404, 409))
    async def delete(services: Access, namespace: str, name: str) -> DeleteResponse:
        return DeleteResponse(id=service(services).delete(namespace, name))

    # FastAPI reads the model of a body from its annotation.
    create.__annotations__["body"] = kind.input_model
    router.post(
        "",
        name=f"create_{kind.name}",
        status_code=201,
        responses={201: {"model": kind.model}, **refusals(400, 409, 413)},
    )(create)
    return router


configs: Final = _router(
    CONFIG, lambda services: services.configs, page=Page[Config], searches=("params", "tasks", "groups")
)
targets: Final = _router(
    TARGET,
    lambda services: services.targets,
    page=Page[Target],
    searches=("model", "dataset", "cached_outputs", "rag", "retriever", "rows"),
)
