"""Preparation of a submission: Secrets and ConfigMaps are read, the spec is checked, the body is composed.

The only request sent from here reads the benchmark's config.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import Final, NoReturn

from nemo_eval_operator.evaluator.model import (
    EvaluatorError,
)
from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.kube import key_of
from nemo_eval_operator.lifecycle import CONFIG_RECHECK_SECONDS
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
from nemo_eval_operator.reconcile.benchmark.remote_configs import trouble_with_config
from nemo_eval_operator.reconcile.datasets import ConfigMapMissing, DatasetReader
from nemo_eval_operator.reconcile.objects import ObjectWriter
from nemo_eval_operator.reconcile.secrets import (
    SECRET_RECHECK_SECONDS,
    ReadSecrets,
    SecretMissing,
    SecretReader,
    remember,
)
from nemo_eval_operator.resources import MeasuredConfig, NemoBenchmark, NemoEvalJob
from nemo_eval_operator.runtime.threads import compute, is_small
from nemo_eval_operator.sessions import Evaluator
from nemo_eval_operator.workqueue import RetryLater, WorkQueue

__all__ = ["RequestPreparer"]

INVALID_RETRY_SECONDS: Final = 60.0
"""A spec that cannot be used is tried again only in case that its benchmark was mended."""


class RequestPreparer:
    """Composes the requests of jobs, and reports what cannot be sent."""

    def __init__(
        self,
        objects: ObjectWriter,
        queue: WorkQueue,
        secrets: SecretReader,
        datasets: DatasetReader,
        tenancy: Tenancy,
        *,
        hosts: AllowedHosts | None,
    ) -> None:
        self._objects = objects
        self._queue = queue
        self._secrets = secrets
        self._datasets = datasets
        self._tenancy = tenancy
        self._hosts = hosts or AllowedHosts()

    async def prepare(
        self, job: NemoEvalJob, benchmark: NemoBenchmark | None, evaluator: Evaluator, nonce: str
    ) -> tuple[JsonObject, MeasuredConfig]:
        """Return the body to POST, with the values of Secrets, and its config without them.

        Raises RetryLater where time has to pass first, and EvaluatorError where the config cannot be read.
        A job that waits has no slot.
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
            return body, await _measured(with_rows_recorded(job, own), recorded, read, evaluator, body=body)
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
        raise RetryLater(at_most=CONFIG_RECHECK_SECONDS)

    async def _job_body(
        self,
        job: NemoEvalJob,
        benchmark: NemoBenchmark | None,
        nonce: str,
        read: ReadSecrets,
        evaluator: Evaluator,
    ) -> JsonObject:
        """Return the body to POST; it holds values of Secrets, which are masked from now on."""
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
        """Return the body to POST; `inherited` are values of the benchmark's Secrets. Raises UnusableSpec."""
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


async def _measured(
    job: NemoEvalJob,
    benchmark: NemoBenchmark | None,
    read: ReadSecrets,
    evaluator: Evaluator,
    *,
    body: JsonObject,
) -> MeasuredConfig:
    """The config to record, all of which is searched for credentials. A job's own is in `body`."""
    hide = evaluator.client.known.of(key_of(job)).hide_in
    measure = partial(measured_config, job, benchmark, secret_paths=[*read.values], hide=hide)
    return await (compute(is_small(body), measure) if benchmark is None else asyncio.to_thread(measure))
