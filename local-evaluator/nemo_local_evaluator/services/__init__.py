"""Services behind the API's routes: entities, jobs, results and live evaluations. No HTTP, no SQL."""

from nemo_local_evaluator.services.archives import Archive
from nemo_local_evaluator.services.entities import CONFIG, TARGET, EntityKind, EntityService
from nemo_local_evaluator.services.wiring import Services, build_services

__all__ = ["CONFIG", "TARGET", "Archive", "EntityKind", "EntityService", "Services", "build_services"]
