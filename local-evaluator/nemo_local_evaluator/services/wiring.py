"""The wiring: one server's parts, built from its settings."""

from __future__ import annotations

from dataclasses import dataclass

from nemo_local_evaluator.datasets import DatasetReader
from nemo_local_evaluator.evaluations import Planner, Resources
from nemo_local_evaluator.models import HttpClients, ModelClient
from nemo_local_evaluator.scoring import ScoringPool
from nemo_local_evaluator.settings import Settings
from nemo_local_evaluator.storage import Artifacts, Database, EntityStore, JobStore, ResultStore
from nemo_local_evaluator.wire.schemas import ConfigInput, TargetInput

from .entities import CONFIG, TARGET, EntityService
from .jobs import JobService, JobWork
from .live import LiveService
from .results import ResultService
from .runner import Runner

__all__ = ["Services", "build_services"]


@dataclass(frozen=True, kw_only=True)
class Services:
    configs: EntityService[ConfigInput]
    targets: EntityService[TargetInput]
    jobs: JobService
    results: ResultService
    live: LiveService
    runner: Runner


def build_services(
    settings: Settings, *, database: Database, http: HttpClients, scoring: ScoringPool
) -> Services:
    artifacts = Artifacts(settings.artifacts)
    store = JobStore(database, files_url=artifacts.url(""))
    configs = EntityService(
        kind=CONFIG, store=EntityStore(database, "config"), jobs=store, quirks=settings.quirks
    )
    targets = EntityService(
        kind=TARGET, store=EntityStore(database, "target"), jobs=store, quirks=settings.quirks
    )
    resources = Resources(
        datasets=DatasetReader(roots=settings.dataset_roots, private=settings.database, http=http.next()),
        models=ModelClient(http, retry_base=settings.retry_base),
        scoring=scoring,
        harness=settings.harness,
    )
    planner = Planner(models=settings.models, resources=resources)
    work = JobWork(store=store, planner=planner)
    runner = Runner(jobs=store, artifacts=artifacts, work=work, workers=settings.workers)
    jobs = JobService(
        store=store,
        configs=configs,
        targets=targets,
        work=work,
        runner=runner,
        artifacts=artifacts,
        quirks=settings.quirks,
    )
    return Services(
        configs=configs,
        targets=targets,
        jobs=jobs,
        results=ResultService(ResultStore(database)),
        live=LiveService(configs=configs, targets=targets, planner=planner),
        runner=runner,
    )
