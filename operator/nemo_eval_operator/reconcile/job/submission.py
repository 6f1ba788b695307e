"""The one place where a remote job is created, and the one where a lost answer is looked for."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Final, NoReturn
from weakref import WeakKeyDictionary

from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.evaluator.model import (
    Ambiguous,
    EvaluatorError,
    Missing,
    RemoteJob,
    Unavailable,
    Unsupported,
)
from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.kube import ObjectKey, key_of
from nemo_eval_operator.lifecycle import Event
from nemo_eval_operator.lifecycle.job import LookUp, attempt_status, pick_marked
from nemo_eval_operator.lifecycle.job import status as job_status
from nemo_eval_operator.lifecycle.requests import (
    AllowedHosts,
    Datasets,
    HostNotAllowed,
    SecretValues,
    Tenancy,
    UnusableSpec,
    carries_config,
    check_hosts,
    check_places,
    check_size,
    check_values,
    job_body,
    measured_config,
    with_rows,
    with_rows_recorded,
)
from nemo_eval_operator.lifecycle.steps import FindJob
from nemo_eval_operator.reconcile.benchmark.remote_configs import trouble_with_config
from nemo_eval_operator.reconcile.datasets import ConfigMapMissing, DatasetReader
from nemo_eval_operator.reconcile.objects import ObjectWriter
from nemo_eval_operator.reconcile.outcomes import OutcomeWriter
from nemo_eval_operator.reconcile.secrets import (
    SECRET_RECHECK_SECONDS,
    ReadSecrets,
    SecretMissing,
    SecretReader,
    remember,
)
from nemo_eval_operator.resources import EvalJobStatus, MeasuredConfig, NemoBenchmark, NemoEvalJob
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.sessions import CircuitBreaker, Evaluator, JobSearch
from nemo_eval_operator.workqueue import RetryLater, WorkQueue

from .remote_jobs import RemoteJobs

__all__ = ["Submitter"]

logger = logging.getLogger(__name__)

INTENT_SECONDS: Final = 5.0
"""An intent older than this is not acted on: another operator may have given us up and be looking."""

INVALID_RETRY_SECONDS: Final = 60.0
"""A spec that cannot be used is tried again only in case that its benchmark was mended."""

MAX_DUPLICATES_CANCELLED: Final = 10
"""In one look-up. More than two jobs of one attempt come from an evaluator that does not tell the truth."""

MAX_CANCELLING_SECONDS: Final = 300.0
"""For all cancellations of one look-up together."""

REFUSED_RETRY_SECONDS: Final = 5.0
"""Time for a config that the evaluator has lost to be created again."""


class Submitter:
    """Submits jobs and finds those whose submission got no answer."""

    def __init__(
        self,
        *,
        objects: ObjectWriter,
        outcomes: OutcomeWriter,
        remote_jobs: RemoteJobs,
        queue: WorkQueue,
        secrets: SecretReader,
        datasets: DatasetReader,
        metrics: Metrics,
        tenancy: Tenancy,
        hosts: AllowedHosts,
    ) -> None:
        self._tenancy = tenancy
        self._hosts = hosts
        self._metrics = metrics
        self._objects = objects
        self._outcomes = outcomes
        self._secrets = secrets
        self._datasets = datasets
        self._remote_jobs = remote_jobs
        self._queue = queue
        self._quiet: dict[ObjectKey, tuple[str, datetime]] = {}
        """The time of an intent, and since when nothing was heard of it."""
        self._searches: WeakKeyDictionary[EvaluatorClient, JobSearch] = WeakKeyDictionary()

    def last_submission_at(self, job: NemoEvalJob, breaker: CircuitBreaker) -> datetime | None:
        """When by our own clock the last submission ended, or when we first saw that there was one.

        Or when the evaluator came back, if that was later: one that stood still goes on with what it had.
        """
        key, submission = key_of(job), job.status.submission
        if submission is None or job.status.job_id is not None:
            self._quiet.pop(key, None)
            return None
        written, since = self._quiet.get(key, ("", datetime.now(UTC)))
        if written != submission.time:
            since = datetime.now(UTC)
        self._quiet[key] = (submission.time, since)
        return max(since, breaker.reachable_since or since)

    def forget(self, key: ObjectKey) -> None:
        """The object is gone, or another operator's."""
        self._quiet.pop(key, None)
        for search in self._searches.values():
            search.forget(key)

    async def submit(
        self, job: NemoEvalJob, benchmark: NemoBenchmark | None, evaluator: Evaluator, *, claim: bool
    ) -> NemoEvalJob:
        """Write the intent, POST to `evaluator`, write what came of it; the job as it is then.

        `claim`: the finalizer is added before the intent, once nothing is wrong with the request.
        Raises RetryLater where time has to pass first, Outdated where another
        operator has won the intent, and EvaluatorError where the config cannot be read.
        """
        nonce = job.status.submission.nonce if job.status.submission else uuid.uuid4().hex
        body, config = await self._prepared(job, benchmark, evaluator, nonce)
        with self._queue.uninterrupted(key_of(job)):
            if claim:
                job = await self._objects.claim(job, evaluator.used)
            return await self._post(job, benchmark, evaluator, nonce=nonce, body=body, config=config)

    async def _post(
        self,
        job: NemoEvalJob,
        benchmark: NemoBenchmark | None,
        evaluator: Evaluator,
        *,
        nonce: str,
        body: JsonObject,
        config: MeasuredConfig,
    ) -> NemoEvalJob:
        """As `submit`, from the intent to its outcome: what is cut off in between has to be looked for."""
        begun = time.monotonic()
        intent = job_status.submitting(job, datetime.now(UTC), nonce, evaluator.used, config)
        job = await self._objects.record(job, intent)
        if time.monotonic() - begun > INTENT_SECONDS:
            raise RetryLater
        try:
            remote = await evaluator.client.about(key_of(job)).create_job(body)
        except EvaluatorError as error:
            self._metrics.submission(_outcome(error))
            job = await self._outcomes.record(job, partial(_not_submitted, error=error))
            return await self._after_failure(job, benchmark, evaluator.breaker, error)
        self._metrics.submission("accepted")
        logger.info("NemoEvalJob %s/%s submitted: %s", job.metadata.namespace, job.metadata.name, remote.id)
        job = await self._outcomes.record(job, partial(_submitted, remote=remote))
        if job.status.attempt == 1 and (created := job.metadata.creation_timestamp):
            self._metrics.submission_lag((datetime.now(UTC) - created).total_seconds())
        return job

    async def _prepared(
        self, job: NemoEvalJob, benchmark: NemoBenchmark | None, evaluator: Evaluator, nonce: str
    ) -> tuple[JsonObject, MeasuredConfig]:
        """What to POST, with the values of Secrets, and the config in it, without them.

        Raises as `submit`; a job that waits has no slot.
        """
        try:
            read = await self._secrets.read(job)
            check_places(job, benchmark)
            own, inherited = await self._rows(job, benchmark)
            sent = benchmark and with_rows(benchmark, inherited)
            if sent is not None and not carries_config(job, read.values):
                await self._verify_config(job, sent, evaluator)
            body = await self._job_body(with_rows(job, own), sent, nonce, read, evaluator)
            recorded = benchmark and with_rows_recorded(benchmark, inherited)
            return body, await _measured(with_rows_recorded(job, own), recorded, read, evaluator)
        except (SecretMissing, ConfigMapMissing) as error:
            await self._objects.record(
                job, job_status.waiting(job, datetime.now(UTC), error.reason, str(error))
            )
            evaluator.slot_pool.leave(key_of(job))
            raise RetryLater(at_most=SECRET_RECHECK_SECONDS) from error
        except UnusableSpec as error:
            await self._refuse(job, error, evaluator)
        except (EvaluatorError, RetryLater):
            evaluator.slot_pool.leave(key_of(job))
            raise

    async def check(
        self, job: NemoEvalJob, benchmark: NemoBenchmark | None, evaluator: Evaluator | None
    ) -> None:
        """Report a spec that cannot be used before the job's turn comes. Raises RetryLater where it cannot.

        Of a job whose benchmark is not ready (None) only the target is checked. A Secret or ConfigMap that is
        missing may still come.
        """
        try:
            values = (await self._secrets.read(job)).values
            check_places(job, benchmark)
            if benchmark is None and job.spec.config is None:
                values = {path: value for path, value in values.items() if path.startswith("target.")}
            inherited: SecretValues = {}
            if benchmark is not None and carries_config(job, values):
                inherited = (await self._secrets.read(benchmark)).values
            own = (await self._datasets.read(job)).rows
            self._body(with_rows(job, own), benchmark, values, inherited, nonce="", connection=None)
        except (SecretMissing, ConfigMapMissing):
            return
        except UnusableSpec as error:
            await self._refuse(job, error, evaluator)

    async def _rows(self, job: NemoEvalJob, benchmark: NemoBenchmark | None) -> tuple[Datasets, Datasets]:
        """Return the rows that the job names, and those of its benchmark.

        Raises ConfigMapMissing, UnusableDataset, KubeError.
        """
        own = (await self._datasets.read(job)).rows
        if benchmark is None:
            return own, {}
        inherited = (await self._datasets.read(benchmark)).rows
        check_size((benchmark, inherited), (job, own))
        return own, inherited

    async def _refuse(self, job: NemoEvalJob, error: UnusableSpec, evaluator: Evaluator | None) -> NoReturn:
        invalid = job_status.invalid(job, datetime.now(UTC), str(error), reason=error.reason)
        await self._objects.record(job, invalid)
        if evaluator is not None:
            evaluator.slot_pool.leave(key_of(job))
        raise RetryLater(INVALID_RETRY_SECONDS) from error

    async def _verify_config(self, job: NemoEvalJob, benchmark: NemoBenchmark, evaluator: Evaluator) -> None:
        """Raise RetryLater where the config is not what the benchmark wrote; that is woken to restore it."""
        trouble = await trouble_with_config(evaluator.client.about(key_of(job)), benchmark, self._tenancy)
        if trouble is None:
            return
        self._queue.add(key_of(benchmark))
        status = job_status.waiting(job, datetime.now(UTC), trouble.reason, trouble.message)
        await self._objects.record(job, status)
        raise RetryLater(at_most=REFUSED_RETRY_SECONDS)

    async def _after_failure(
        self,
        job: NemoEvalJob,
        benchmark: NemoBenchmark | None,
        breaker: CircuitBreaker,
        error: EvaluatorError,
    ) -> NemoEvalJob:
        """The job, if there is more to decide about it at once; raises RetryLater if time has to pass."""
        match error:
            case Unavailable(status_code=None):
                # Nobody is there: one probe for all who wait.
                breaker.trip(error)
                return job
            case Unavailable():
                raise RetryLater(error.retry_after or 0.0) from error
            case Ambiguous(status_code=None):
                # Where nobody answers, one submission has waited for that long enough.
                await breaker.trip_if_unreachable(error)
                return job
            case Missing() | Unsupported():
                if benchmark is not None:
                    self._queue.add(key_of(benchmark))
                raise RetryLater(REFUSED_RETRY_SECONDS) from error
            case _:
                return job

    async def _job_body(
        self,
        job: NemoEvalJob,
        benchmark: NemoBenchmark | None,
        nonce: str,
        read: ReadSecrets,
        evaluator: Evaluator,
    ) -> JsonObject:
        """What to POST; it holds the values of Secrets, which are masked from now on."""
        inherited, given = ReadSecrets({}, []), read.given
        copied = benchmark is not None and carries_config(job, read.values)
        if benchmark is not None and copied:
            inherited = await self._secrets.read(benchmark)
            given += inherited.given
        elif benchmark is not None:
            given += await self._secrets.given(benchmark)
        remember(evaluator.client, key_of(job), given)
        return self._body(
            job, benchmark, read.values, inherited.values, nonce=nonce, connection=evaluator.used.connection
        )

    def _body(
        self,
        job: NemoEvalJob,
        benchmark: NemoBenchmark | None,
        values: SecretValues,
        inherited: SecretValues,
        *,
        nonce: str,
        connection: str | None,
    ) -> JsonObject:
        """What to POST; `inherited` are the values of the benchmark's Secrets. Raises UnusableSpec."""
        if job.spec.config is not None:
            self._tenancy.check_namespace(job.metadata.namespace, job.spec.config.namespace)
        body = job_body(
            job,
            benchmark,
            nonce=nonce,
            secrets=values,
            benchmark_secrets=inherited,
            cluster=self._tenancy.cluster,
            connection=connection,
        )
        parts = {part: body[part] for part in ("config", "target")}
        check_values(parts, "spec")
        paths = [*values, *(f"config.{path}" for path in inherited)]
        check_hosts(parts, self._hosts, secret_paths=paths)
        if benchmark is not None and not carries_config(job, values):
            self._check_benchmark(benchmark)
        return body

    def _check_benchmark(self, benchmark: NemoBenchmark) -> None:
        """Raise HostNotAllowed: it may have become ready before the allow-list was what it is now."""
        try:
            check_hosts({"config": benchmark.spec.config.to_request()}, self._hosts)
        except HostNotAllowed as error:
            raise HostNotAllowed(f"NemoBenchmark {benchmark.metadata.name}: {error}") from error

    async def look_up(self, job: NemoEvalJob, step: FindJob, evaluator: Evaluator) -> LookUp:
        """All jobs with the attempt's mark, oldest first; of others than the oldest a few are cancelled.

        Raises LookUpPostponed where the sweep that answers is still to come.
        """

        def pick(remote: Sequence[RemoteJob]) -> list[RemoteJob]:
            return pick_marked(remote, job.metadata, step.attempt)

        # The evaluator's own client: a sweep is about many objects.
        client = evaluator.client
        search = self._searches.setdefault(client, JobSearch(self._queue))
        found = await search.find(client, key_of(job), job.metadata.uid, since=step.created_since, pick=pick)
        await self._cancel_duplicates(job, found.jobs, client.about(key_of(job)))
        return LookUp(begun=found.begun, found=tuple(found.jobs))

    async def _cancel_duplicates(
        self, job: NemoEvalJob, found: Sequence[RemoteJob], client: EvaluatorClient
    ) -> None:
        """Cancel all but the first, within bounds: the evaluator decides how many it lists, and how fast."""
        duplicates = [remote.id for remote in found[1:] if not remote.is_terminal]
        done = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(MAX_CANCELLING_SECONDS):
                for job_id in duplicates[:MAX_DUPLICATES_CANCELLED]:
                    await self._cancel_duplicate(job, job_id, client)
                    done += 1
        if left := len(duplicates) - done:
            message = (
                f"remote jobs of the same attempt that were not cancelled: {left}. Cancel in the evaluator "
                f"all with k8s-uid {job.metadata.uid} in their custom_fields, except {found[0].id}"
            )
            await self._objects.tell(job, Event("Warning", "DuplicatesRunning", message))

    async def _cancel_duplicate(self, job: NemoEvalJob, job_id: str, client: EvaluatorClient) -> None:
        what = f"remote job {job_id} is a second one of the same attempt"
        if (refusal := await self._remote_jobs.cancel(client, job, job_id)) is not None:
            message = f"{what}, and the evaluator does not cancel it: {refusal.detail}"
            await self._objects.tell(job, Event("Warning", "CancelRefused", message))
            return
        self._metrics.duplicate_cancelled()
        await self._objects.tell(job, Event("Warning", "DuplicateCancelled", f"{what}: cancelled"))


def _submitted(job: NemoEvalJob, *, remote: RemoteJob) -> EvalJobStatus:
    return job_status.submitted(job, datetime.now(UTC), remote)


def _not_submitted(job: NemoEvalJob, *, error: EvaluatorError) -> EvalJobStatus:
    return attempt_status.not_submitted(job, datetime.now(UTC), error)


async def _measured(
    job: NemoEvalJob, benchmark: NemoBenchmark | None, read: ReadSecrets, evaluator: Evaluator
) -> MeasuredConfig:
    """The config to record. All of it is searched for credentials, in a thread: others do not wait for it."""
    hide = evaluator.client.known.of(key_of(job)).hide_in
    return await asyncio.to_thread(measured_config, job, benchmark, secret_paths=[*read.values], hide=hide)


def _outcome(error: EvaluatorError) -> str:
    """For the count: whether a job may have come of it."""
    match error:
        case Unavailable():
            return "unavailable"
        case Ambiguous():
            return "unknown"
        case _:
            return "refused"
