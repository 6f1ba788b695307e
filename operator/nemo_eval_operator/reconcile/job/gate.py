"""Judges completed runs by their gates: reads evidence, finds the baseline, and lets `gates` decide."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from weakref import WeakValueDictionary

from nemo_eval_operator.gates import (
    CriterionReason,
    Evidence,
    Gate,
    NoBaseline,
    PolicyInvalid,
    gate_of_spec,
    judge,
    not_judged,
)
from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.kept_evidence import EvidenceMissing, load_config, load_evidence
from nemo_eval_operator.kube import KubeClient, KubeRefused, ObjectKey, key_of
from nemo_eval_operator.lifecycle import read_job
from nemo_eval_operator.lifecycle.job import (
    BaselineFound,
    GateFacts,
    Judged,
    NewestJob,
    WaitForBaseline,
    baseline_hash,
    choose_named,
    difference,
    gate_hash,
    selector_text,
)
from nemo_eval_operator.resources import (
    EVALJOB_PLURAL,
    BaselineUsed,
    EvidenceRef,
    GateBaseline,
    GateSpec,
    NemoEvalJob,
)
from nemo_eval_operator.traces import trace_of

from .evidence import EvidenceStore

__all__ = ["BaselineWaiters", "GateJudge"]

logger = logging.getLogger(__name__)

MAX_AT_ONCE = 2
"""Runs that are judged at the same time: each may hold some 10 MB of items."""

MAX_MATCHES = 5_000
"""Jobs that a baseline selector may match; more are not read."""

Baseline = tuple[BaselineUsed | None, Evidence | NoBaseline | None]


class BaselineWaiters:
    """Keys of jobs by the key of the baseline that they wait for."""

    def __init__(self) -> None:
        self._jobs: defaultdict[ObjectKey, set[ObjectKey]] = defaultdict(set)

    def add(self, *, baseline: ObjectKey, job: ObjectKey) -> None:
        """Remember that `job` waits for the end of `baseline`."""
        self._jobs[baseline].add(job)

    def take(self, baseline: ObjectKey) -> set[ObjectKey]:
        """Return the jobs that wait for `baseline`, which from now on do not."""
        return self._jobs.pop(baseline, set())


class GateJudge:
    """Judges one run at a time by its gate, from evidence that is kept."""

    def __init__(self, kube: KubeClient, evidence: EvidenceStore) -> None:
        self._kube = kube
        self._evidence = evidence
        self._room = asyncio.Semaphore(MAX_AT_ONCE)
        """Held while items are in memory, but not while jobs are listed for a baseline."""
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """Lock of each namespace in which a run is judged: one is judged at a time."""
        self.waiters = BaselineWaiters()

    async def judge(self, job: NemoEvalJob, *, may_wait: bool) -> GateFacts:
        """Return what the job's gate makes of its run. Raises KubeError where Kubernetes does not answer."""
        if job.spec.gate is None:
            raise AssertionError("a job without a gate is not judged")
        turn = self._turns.setdefault(job.metadata.namespace, asyncio.Lock())
        async with turn:
            return GateFacts(gate_hash(job), await self._found(job, job.spec.gate, may_wait=may_wait))

    async def _found(self, job: NemoEvalJob, spec: GateSpec, *, may_wait: bool) -> Judged | WaitForBaseline:
        try:
            gate = gate_of_spec(spec)
        except PolicyInvalid as error:
            return Judged(not_judged(spec, CriterionReason.INVALID_GATE, str(error)), None)
        chosen = None
        if spec.baseline is not None and _kept(job) is None:
            chosen = await self._chosen(job, spec, spec.baseline, may_wait=may_wait)
        if isinstance(chosen, WaitForBaseline):
            waited_for = ObjectKey(EVALJOB_PLURAL, job.metadata.namespace, chosen.name)
            self.waiters.add(baseline=waited_for, job=key_of(job))
            return chosen
        async with self._room:
            return await self._judged(job, spec, gate, chosen)

    async def _judged(
        self, job: NemoEvalJob, spec: GateSpec, gate: Gate, chosen: BaselineFound | NoBaseline | None
    ) -> Judged:
        used, baseline = await self._baseline(job, spec, chosen)
        try:
            status = job.status
            own = await load_evidence(
                self._kube, job.metadata.namespace, status.evidence_ref, status.results_ref
            )
        except EvidenceMissing as error:
            return Judged(not_judged(spec, error.reason, str(error)), used)
        try:
            return Judged(await asyncio.to_thread(judge, gate, own, baseline), used)
        except (ArithmeticError, ValueError) as error:
            logger.error(  # noqa: TRY400
                "%s/%s: unexpected exception in its gate, please report it: %s",
                job.metadata.namespace,
                job.metadata.name,
                trace_of(error),
            )
            message = "the numbers of these runs cannot be compared: run the job again"
            return Judged(not_judged(spec, CriterionReason.EVIDENCE_UNREADABLE, message), used)

    async def _baseline(
        self, job: NemoEvalJob, spec: GateSpec, chosen: BaselineFound | NoBaseline | None
    ) -> Baseline:
        if spec.baseline is None:
            return None, None
        if (kept := _kept(job)) is not None:
            return await self._loaded(job, kept)
        if not isinstance(chosen, BaselineFound):
            return None, chosen
        if difference(job, chosen.used) is not None:
            configs = await self._configs(job, chosen)
            return chosen.used, await asyncio.to_thread(difference, job, chosen.used, configs)
        try:
            evidence = await load_evidence(
                self._kube, job.metadata.namespace, chosen.evidence, chosen.results
            )
        except EvidenceMissing as error:
            return chosen.used, _unreadable(chosen.used, error)
        copy = await self._evidence.copy(job, chosen.used, evidence)
        if copy is None:
            return chosen.used, evidence
        update = {"config_map": copy.config_map, "digest": copy.digest}
        return chosen.used.model_copy(update=update), evidence

    async def _configs(
        self, job: NemoEvalJob, baseline: BaselineFound
    ) -> tuple[JsonObject, JsonObject] | None:
        """The configs that the baseline and the job measured; None where one cannot be read."""
        namespace, measured = job.metadata.namespace, job.status.benchmark
        theirs = await load_config(self._kube, namespace, baseline.results, baseline.used.benchmark_hash)
        if theirs is None or measured is None:
            return None
        ours = await load_config(self._kube, namespace, job.status.results_ref, measured.hash)
        return None if ours is None else (theirs, ours)

    async def _loaded(self, job: NemoEvalJob, used: BaselineUsed) -> Baseline:
        """The baseline that an earlier gate of this attempt was judged by, whatever became of it since."""
        kept = EvidenceRef(config_map=used.config_map or "", digest=used.digest or "")
        try:
            return used, difference(job, used) or await load_evidence(
                self._kube, job.metadata.namespace, kept, None
            )
        except EvidenceMissing as error:
            return used, _unreadable(used, error)

    async def _chosen(
        self, job: NemoEvalJob, spec: GateSpec, baseline: GateBaseline, *, may_wait: bool
    ) -> BaselineFound | WaitForBaseline | NoBaseline | None:
        namespace = job.metadata.namespace
        if baseline.job_ref is not None:
            name = baseline.job_ref.name
            document, _ = await self._kube.read(ObjectKey(EVALJOB_PLURAL, namespace, name))
            named = None if document is None else read_job(document)[0]
            return choose_named(job, name, named, may_wait=may_wait)
        newest = NewestJob(job, passed=baseline.passed)
        selector, count = selector_text(baseline.selector) if baseline.selector else "", 0
        try:
            async for document in self._kube.list_all(EVALJOB_PLURAL, namespace, selector=selector):
                count += 1
                if count > MAX_MATCHES:
                    message = f"baseline.selector matches more than {MAX_MATCHES:,} jobs: add a label"
                    return NoBaseline(CriterionReason.SELECTOR_TOO_BROAD, message)
                newest.add(read_job(document)[0])
        except KubeRefused as error:
            return NoBaseline(CriterionReason.INVALID_SELECTOR, f"baseline.selector cannot be used: {error}")
        skips = spec.if_no_baseline == "Skip"
        return newest.choice() or (None if skips else newest.nothing_found)


def _kept(job: NemoEvalJob) -> BaselineUsed | None:
    """The baseline that this attempt was judged by, where the gate still asks for the same one."""
    used = job.status.gate.baseline if job.status.gate else None
    return used if used and used.config_map and used.choice == baseline_hash(job) else None


def _unreadable(used: BaselineUsed, error: EvidenceMissing) -> NoBaseline:
    return NoBaseline(error.reason, f"the evidence of the baseline {used.name}: {error}")
