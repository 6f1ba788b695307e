"""The FastAPI application: routes, errors, and a lifespan in which jobs run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import httpx
from fastapi import FastAPI

from .api import entities, jobs, live, results
from .api.error_handlers import install_error_handlers
from .api.guard import Guard
from .api.quirk_middleware import install_quirks
from .models import open_http_clients
from .scoring import ScoringPool
from .services import build_services
from .settings import Settings
from .storage import Database, make_private_directory

__all__ = ["create_app"]


def create_app(settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None) -> FastAPI:
    """`transport` is for tests: what models and remote datasets are reached through."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        make_private_directory(settings.data)
        with (
            closing(Database(settings.database)) as database,
            closing(
                ScoringPool(workers=settings.scoring_workers, step_seconds=settings.step_seconds)
            ) as scoring,
        ):
            async with open_http_clients(transport=transport) as http:
                services = build_services(settings, database=database, http=http, scoring=scoring)
                app.state.services = services
                scoring.start()
                await services.runner.start()
                try:
                    yield
                finally:
                    await services.runner.stop()

    app = FastAPI(
        title="NeMo local evaluator",
        summary="NeMo Evaluator's v1 REST API on one machine, with real evaluations.",
        lifespan=lifespan,
    )
    install_error_handlers(app)
    install_quirks(app, settings.quirks)
    # The last that is added is the first that a request meets.
    app.add_middleware(Guard, hosts=settings.hosts, token=settings.token)
    for router in (entities.configs, entities.targets, jobs.router, results.router, live.router):
        app.include_router(router)

    @app.get("/health", tags=["health"])
    async def health() -> dict[str, str]:
        return {"status": "healthy"}

    return app
