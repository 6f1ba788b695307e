"""Services behind the API's routes: entities, jobs, results and live evaluations. No HTTP, no SQL."""

from .archives import Archive
from .entities import CONFIG, TARGET, EntityKind, EntityService
from .wiring import Services, build_services

__all__ = ["CONFIG", "TARGET", "Archive", "EntityKind", "EntityService", "Services", "build_services"]
