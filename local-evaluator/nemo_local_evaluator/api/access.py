"""Access of routes to the services of their application."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from nemo_local_evaluator.services import Services

__all__ = ["Access"]


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Access = Annotated[Services, Depends(_services)]
