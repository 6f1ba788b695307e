"""Jobs as callers see them: created from a config and a target, watched, cancelled, deleted.

A job carries its own copy of config, target and their secrets, so later changes to either do not reach it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from nemo_local_evaluator.evaluations import Observer, Outcome, Planner
from nemo_local_evaluator.storage import Artifacts, JobStore, Listing, StoredEntity, StoredJob
from nemo_local_evaluator.wire import identity, masking
from nemo_local_evaluator.wire.errors import (
    BadRequest,
    Conflict,
    EvaluationError,
    NotFound,
    Unsupported,
)
from nemo_local_evaluator.wire.quirks import Quirk
from nemo_local_evaluator.wire.schemas import ConfigInput, JobInput, JobStatus, StatusDetails, TargetInput

from .archives import Archive, pack
from .entities import EntityService
from .redaction import run_redacted
from .results import new_result
from .runner import Runner

__all__ = ["JobService", "JobWork"]

_SERVER_OWNED: Final = frozenset(
    {"id", "created_at", "updated_at", "status", "status_details", "result", "output_files_url"}
)


class JobWork:
    """What the runner does with a job, and the check that says beforehand whether it can be done."""

    def __init__(self, *, store: JobStore, planner: Planner) -> None:
        self._store = store
        self._planner = planner

    async def __call__(self, job: StoredJob, observer: Observer) -> Outcome:
        secrets = self._store.secrets(job.id)
        document = masking.reveal(job.document, secrets)
        evaluation = self._planner.plan(document["config"], document["target"])
        return await run_redacted(evaluation, observer, secrets=[*secrets.values(), *self._planner.secrets])

    async def check(self, config: StoredEntity, target: StoredEntity) -> None:
        """Raise BadRequest if the evaluation cannot run. An unsupported one is accepted and fails later."""
        try:
            await self._planner.plan(_revealed(config), _revealed(target)).check()
        except Unsupported:
            return
        except EvaluationError as error:
            raise BadRequest(f"Job cannot be launched: {error}") from error


class JobService:
    def __init__(
        self,
        *,
        store: JobStore,
        configs: EntityService[ConfigInput],
        targets: EntityService[TargetInput],
        work: JobWork,
        runner: Runner,
        artifacts: Artifacts,
        quirks: frozenset[Quirk],
    ) -> None:
        self._store = store
        self._configs = configs
        self._targets = targets
        self._work = work
        self._runner = runner
        self._artifacts = artifacts
        self._quirks = quirks

    async def create(self, body: JobInput, *, skip_checks: bool) -> dict[str, Any]:
        config, target = self._configs.resolve(body.config), self._targets.resolve(body.target)
        if not skip_checks:
            await self._work.check(config, target)
        moment = identity.now()
        sent, own_secrets = masking.mask(
            body.model_dump(mode="json", exclude={"config", "target", *_SERVER_OWNED})
        )
        job = StoredJob(
            status=JobStatus.CREATED,
            status_details=StatusDetails().model_dump(exclude={"samples_processed"}),
            result=None,
            updated_at=moment,
            document={
                **sent,
                "created_at": moment,
                "id": identity.new_id("eval"),
                "config": self._configs.snapshot(config),
                "target": self._targets.snapshot(target),
            },
        )
        secrets = masking.beneath("config", config.secrets) | masking.beneath("target", target.secrets)
        self._store.add(job, own_secrets | secrets)
        if Quirk.RESULTS_FROM_THE_START in self._quirks:
            empty = new_result(job=job.id, namespace=job.namespace, tasks={}, groups={})
            self._store.begin_result(job.id, empty)
        self._runner.submit(job.id)
        return self._answer(job)

    def get(self, job_id: str) -> dict[str, Any]:
        return self._answer(self._stored(job_id))

    def list(self, listing: Listing) -> tuple[list[dict[str, Any]], int]:
        jobs, total = self._store.list(listing)
        return [self._answer(job) for job in jobs], total

    def status(self, job_id: str) -> dict[str, Any]:
        return self._stored(job_id).status_details

    def result(self, job_id: str) -> dict[str, Any]:
        job = self._stored(job_id)
        result = self._store.result(job_id)
        if result is None:
            raise NotFound(f"job {job_id!r} has no results; its status is {job.status.value!r}")
        return result

    async def logs(self, job_id: str) -> Archive:
        self._stored(job_id)
        return await self._pack(job_id, self._log(job_id))

    async def result_files(self, job_id: str) -> Archive:
        """Raises NotFound before the job has completed."""
        job = self._stored(job_id)
        if job.status is not JobStatus.COMPLETED:
            raise NotFound(f"job {job_id!r} has no results to download; its status is {job.status.value!r}")
        documents = {"job.json": self._answer(job), "results.json": self.result(job_id)}
        samples = {f"samples/{path.name}": path for path in self._artifacts.sample_files(job_id)}
        members: dict[str, Path | str] = {
            **{name: json.dumps(document, indent=2) for name, document in documents.items()},
            **self._log(job_id),
            **samples,
        }
        return await self._pack(job_id, members)

    async def _pack(self, job_id: str, members: Mapping[str, Path | str]) -> Archive:
        """Raise NotFound where the job is deleted while its files are read."""
        try:
            return await asyncio.to_thread(pack, members)
        except FileNotFoundError as error:
            raise NotFound(f"job {job_id!r} was deleted while its files were read") from error

    def _log(self, job_id: str) -> dict[str, Path | str]:
        log = self._artifacts.log_file(job_id)
        return {"log.txt": log if log.exists() else ""}

    def cancel(self, job_id: str) -> dict[str, Any]:
        job = self._stored(job_id)
        if job.status.terminal and Quirk.CANCEL_FINISHED_409 in self._quirks:
            raise Conflict(f"job {job_id!r} cannot be cancelled; its status is {job.status.value!r}")
        self._runner.cancel(job)
        return self.get(job_id)

    async def delete(self, job_id: str) -> None:
        job = self._stored(job_id)
        if Quirk.DELETE_JOB_GOES_ON in self._quirks:
            self._store.delete(job_id)
            return
        self._runner.cancel(job)
        await self._runner.settled(job_id)
        self._store.delete(job_id)
        await asyncio.to_thread(self._artifacts.delete, job_id)

    def _stored(self, job_id: str) -> StoredJob:
        job = self._store.get(job_id)
        if job is None:
            raise NotFound(f"job {job_id!r} not found")
        return job

    def _answer(self, job: StoredJob) -> dict[str, Any]:
        document = job.document
        head = {
            key: document[key] for key in ("created_at", "id", "namespace", "description", "target", "config")
        }
        completed = job.status is JobStatus.COMPLETED
        return {
            "updated_at": job.updated_at,
            **head,
            "result": job.result,
            "output_files_url": self._artifacts.url(job.id) if completed else None,
            "status_details": job.status_details,
            "status": job.status,
            **{key: value for key, value in document.items() if key not in head},
        }


def _revealed(entity: StoredEntity) -> dict[str, Any]:
    return masking.reveal(entity.document, entity.secrets)
