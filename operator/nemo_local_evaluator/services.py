"""The wiring: one server's parts, built from its settings."""

from dataclasses import dataclass

import httpx

from nemo_local_evaluator.datasets import DatasetReader
from nemo_local_evaluator.entities import CONFIG, TARGET, EntityService
from nemo_local_evaluator.evaluation import Evaluator
from nemo_local_evaluator.jobs import JobService, JobWork
from nemo_local_evaluator.model_client import ModelClient
from nemo_local_evaluator.plan import Planner
from nemo_local_evaluator.runner import Runner
from nemo_local_evaluator.schemas import ConfigInput, TargetInput
from nemo_local_evaluator.settings import Settings
from nemo_local_evaluator.storage import Database, EntityStore, JobStore
from nemo_local_evaluator.templates import TemplateEnvironment


@dataclass(frozen=True, kw_only=True)
class Services:
    configs: EntityService[ConfigInput]
    targets: EntityService[TargetInput]
    jobs: JobService
    runner: Runner


def build_services(settings: Settings, *, database: Database, http: httpx.AsyncClient) -> Services:
    store = JobStore(database)
    configs = EntityService(kind=CONFIG, store=EntityStore(database, "config"), jobs=store)
    targets = EntityService(kind=TARGET, store=EntityStore(database, "target"), jobs=store)
    datasets = DatasetReader(roots=settings.dataset_roots, private=settings.database, http=http)
    work = JobWork(
        store=store,
        planner=Planner(models=settings.models, environment=TemplateEnvironment()),
        datasets=datasets,
        evaluator=Evaluator(datasets=datasets, models=ModelClient(http, retry_base=settings.retry_base)),
    )
    runner = Runner(jobs=store, work=work, workers=settings.workers)
    jobs = JobService(store=store, configs=configs, targets=targets, work=work, runner=runner)
    return Services(configs=configs, targets=targets, jobs=jobs, runner=runner)
