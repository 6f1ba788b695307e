"""Fast path for jobs that need no reconciliation: the list of all jobs is enough.

After a restart this covers nearly all jobs: without a read for each, ten thousand are taken up in seconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.kube import KubeClient, KubeError, ObjectKey, key_of
from nemo_eval_operator.lifecycle import read_job
from nemo_eval_operator.lifecycle.job import (
    Facts,
    NothingNew,
    ResolvedEvaluator,
    decide_job,
    evaluator_of_record,
)
from nemo_eval_operator.lifecycle.steps import JobStep, ObserveJob, RequeueAfter, ResolveEvaluator
from nemo_eval_operator.resources import EVALJOB_PLURAL, LabelSelector, NemoEvalJob, ObjectMeta
from nemo_eval_operator.sessions import Evaluator, Evaluators
from nemo_eval_operator.workqueue import WorkQueue

from .index import JobIndex

__all__ = ["FastPath"]

logger = logging.getLogger(__name__)


class FastPath:
    """Follows jobs that were read in a list; `on_listed` is called with uid and key of each object in it."""

    def __init__(
        self,
        *,
        job_index: JobIndex,
        evaluators: Evaluators,
        queue: WorkQueue,
        settle: timedelta,
        on_listed: Callable[[str, ObjectKey], None] = lambda _uid, _key: None,
    ) -> None:
        self._on_listed = on_listed
        self._job_index = job_index
        self._evaluators = evaluators
        self._queue = queue
        self._settle = settle
        self._noted: dict[str, str] = {}
        """resourceVersions by uid."""

    async def take_all(self, kube: KubeClient, namespaces: Sequence[str], selector: LabelSelector) -> None:
        """Take note of the jobs of all these namespaces; none: of all. A job that is missed is read alone."""
        for namespace in namespaces or (None,):
            try:
                async for document in kube.list_all(EVALJOB_PLURAL, namespace, selector=selector.text):
                    meta = ObjectMeta.model_validate(document["metadata"])
                    self._on_listed(meta.uid, ObjectKey(EVALJOB_PLURAL, meta.namespace, meta.name))
                    if self.try_adopt(document):
                        self._noted[meta.uid] = meta.resource_version
                    # A page has hundreds of jobs, and a health check is not to wait for all of them.
                    await asyncio.sleep(0)
            except KubeError as error:
                logger.warning("jobs are looked at one by one: %s", error)

    def is_noted(self, uid: str, version: str) -> bool:
        """Return whether this version of the object was adopted; called once for each object."""
        return self._noted.pop(uid, None) == version

    def try_adopt(self, document: JsonObject) -> bool:
        """Track the job if nothing else is to be done; return whether that is so.

        The copy in a list may be old, so nothing else is done because of it. It is not used for a job that is
        already followed or queued: the copy may be of the attempt before.
        """
        try:
            job, unreadable = read_job(document)
        except ValidationError:
            return False
        key = key_of(job)
        if unreadable is not None or self._evaluators.is_followed(key) or self._queue.holds(key):
            return False
        evaluator = self._evaluators.find(evaluator_of_record(job))
        step = self._decide(job, evaluator)
        if not isinstance(step, RequeueAfter):
            return False
        self._job_index.keep(job, evaluator)
        if step.seconds is not None:
            self._queue.add_after(key, step.seconds)
        return True

    def _decide(self, job: NemoEvalJob, evaluator: Evaluator | None) -> JobStep:
        """Return the step for the job, as far as memory answers the steps that request a fact.

        Where it does not, the request is returned: RequeueAfter means that there is nothing to do.
        """
        facts = Facts(now=datetime.now(UTC), settle=self._settle)
        step = decide_job(job, facts)
        if isinstance(step, ResolveEvaluator) and evaluator is not None and evaluator.breaker.outage is None:
            facts = replace(facts, evaluator=ResolvedEvaluator(evaluator.used))
            step = decide_job(job, facts)
        if isinstance(step, ObserveJob) and not step.ask:
            # The poller does not follow it yet, so it has reported nothing.
            step = decide_job(job, replace(facts, remote=NothingNew()))
        return step
