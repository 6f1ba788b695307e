"""Results of a finished job, read from the evaluator and stored in an immutable ConfigMap.

What goes wrong here never fails the evaluation: it is tried again, and at some point the job is Stalled.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from nemo_eval_operator.evaluator.http import MAX_RESULTS_BYTES, EvaluatorClient
from nemo_eval_operator.evaluator.model import EvaluatorError, Malformed, Oversized, Redactor, Results
from nemo_eval_operator.gates import Packed
from nemo_eval_operator.kube import KubeClient, KubeRefused, OwnerReference, key_of
from nemo_eval_operator.lifecycle import Operation, meaning_of
from nemo_eval_operator.lifecycle.job import (
    DRY_RUN_LABEL,
    HEADER_KEY,
    ITEMS_KEY,
    RESULTS_KEY,
    RunScores,
    Stored,
    config_map_names,
    label_value,
    results_document,
)
from nemo_eval_operator.lifecycle.requests import CONFIG_KEY, config_document
from nemo_eval_operator.reconcile.secrets import SecretReader, remember
from nemo_eval_operator.resources import EvidenceRef, NemoEvalJob
from nemo_eval_operator.runtime.threads import compute, is_small
from nemo_eval_operator.workqueue import ObjectStates

from .evidence import EvidenceStore, FilesNotRead, KeptDocument, RunEvidence
from .read_turns import ReadTurns

__all__ = ["ResultsKeeper", "ResultsNotKept"]

JOB_LABEL: Final = "evaluator.nemo.dev/job"
JOB_ID_ANNOTATION: Final = "evaluator.nemo.dev/job-id"
URL_ANNOTATION: Final = "evaluator.nemo.dev/results-url"

MAX_TRIES: Final = 10
"""Attempts, about six minutes of backoff, after which the job is stalled."""

MAX_FILES_TRIES: Final = 4
"""Attempts to read the files with the items' scores; after them the run is kept without these scores."""

GIVEN_UP_RETRY_SECONDS: Final = 300.0
"""Seconds between attempts after that, since a corrected cause causes no event."""

SMALL_RESULTS_BYTES: Final = 1024**2
"""Bytes of results that fit into a ConfigMap, as nearly all do."""

MAX_TOGETHER_BYTES: Final = 256 * 1024
"""Bytes of results, config and evidence that one ConfigMap keeps together. Gates and comparisons need only
the evidence, but read the whole ConfigMap: larger results are kept apart from it."""


class ResultsNotKept(Exception):
    """The results cannot be read or kept now. `given_up`: a person has to look at the cause."""

    def __init__(self, problem: Exception, *, given_up: bool) -> None:
        self.given_up = given_up
        self.retry_seconds = GIVEN_UP_RETRY_SECONDS if given_up else 0.0
        super().__init__(str(problem))


class ResultsKeeper:
    """Keeps results; keeping the same twice, as after a crash, changes nothing."""

    def __init__(
        self, kube: KubeClient, secrets: SecretReader, states: ObjectStates, evidence: EvidenceStore
    ) -> None:
        self._kube = kube
        self._evidence = evidence
        self._secrets = secrets
        self._states = states
        self._turns = ReadTurns()
        """Turns to read large results."""

    async def collect(self, evaluator: EvaluatorClient, job: NemoEvalJob, job_id: str) -> Stored:
        """Raises ResultsNotKept, and KubeError where Kubernetes does not answer."""
        key = key_of(job)
        try:
            stored = await self._fetch_and_keep(evaluator, job, job_id)
        except (EvaluatorError, KubeRefused) as error:
            tried, tries = self._states.read(key).results_tries or (job_id, 0)
            if tried != job_id:
                tries = 0
            waits = isinstance(error, EvaluatorError) and meaning_of(error, Operation.READ_RESULTS).is_outage
            if not waits:
                tries += 1
            self._states.of(key).results_tries = (job_id, tries)
            raise ResultsNotKept(error, given_up=tries >= MAX_TRIES) from error
        except FilesNotRead as error:
            self._states.of(key).files_tries = (job_id, self._files_tries(job, job_id) + 1)
            raise ResultsNotKept(error, given_up=False) from error
        if self._states.read(key).results_tries is not None:
            self._states.of(key).results_tries = None
        if self._states.read(key).files_tries is not None:
            self._states.of(key).files_tries = None
        return stored

    def _files_tries(self, job: NemoEvalJob, job_id: str) -> int:
        tried, tries = self._states.read(key_of(job)).files_tries or (job_id, 0)
        return tries if tried == job_id else 0

    async def _fetch_and_keep(self, evaluator: EvaluatorClient, job: NemoEvalJob, job_id: str) -> Stored:
        try:
            results = await evaluator.get_results(job_id, limit=SMALL_RESULTS_BYTES)
            stored, found = await self._keep_results(evaluator, job, results)
        except Oversized:
            async with self._turns.read(job):
                parse = await evaluator.fetch_results(job_id, limit=MAX_RESULTS_BYTES)
                async with self._turns.parsing:
                    stored, found = await self._keep_results(evaluator, job, parse())
        if found is None or (stored.evidence is not None and found.has_all_items):
            return stored
        known = evaluator.known.of(key_of(job))
        tries_again = self._files_tries(job, job_id) + 1 < MAX_FILES_TRIES
        evidence = await self._evidence.keep(
            evaluator, job, found, known, only_files=stored.evidence is not None, tries_again=tries_again
        )
        return replace(stored, evidence=evidence or stored.evidence)

    async def _keep_results(
        self, evaluator: EvaluatorClient, job: NemoEvalJob, results: Results
    ) -> tuple[Stored, RunEvidence | None]:
        url = evaluator.results_url(results.job)
        if not results.tasks and not results.groups:
            # A result exists from the start of a job and fills up; a completed job has something in it.
            raise Malformed(f"{url} has no tasks and no groups yet", status_code=200)
        key = key_of(job)
        remember(evaluator, key, await self._secrets.recall(job))
        # All of it is searched: not where others wait.
        small = is_small(results.document)
        shown = await compute(small, _shown, results, evaluator.known.of(key), url)
        kept = KeptDocument(*results_document(shown, url=url))
        if job.spec.dry_run:
            return await self._keep(job, results, kept, url), None
        if len(kept.text) > MAX_TOGETHER_BYTES:
            # Kept before anything else is made of them.
            stored = await self._keep(job, results, kept, url)
            return stored, await self._evidence.evidence_of_run(job, shown, kept)
        found = await self._evidence.evidence_of_run(job, shown, kept)
        together = None if found is None else await self._keep_together(job, results, found, url)
        return together or await self._keep(job, results, kept, url), found

    async def _keep_together(
        self, job: NemoEvalJob, results: Results, run: RunEvidence, url: str
    ) -> Stored | None:
        """Keep results, and the evidence made of them, by one write; None where that is not possible."""
        packed = await self._evidence.pack_document(job, run)
        if packed is None or _bytes_together(job, run.kept, packed) > MAX_TOGETHER_BYTES:
            return None
        try:
            return await self._keep(job, results, run.kept, url, packed)
        except KubeRefused:
            # The results alone may be accepted.
            return None

    async def _keep(
        self, job: NemoEvalJob, results: Results, kept: KeptDocument, url: str, packed: Packed | None = None
    ) -> Stored:
        names = config_map_names(
            job.metadata.name, uid=job.metadata.uid, attempt=job.status.attempt or 1, document=kept.text
        )
        config = config_document(job)
        texts = {RESULTS_KEY: kept.text} | ({} if config is None else {CONFIG_KEY: config})
        if packed is not None:
            texts[HEADER_KEY] = packed.header
        annotations = {JOB_ID_ANNOTATION: results.job, URL_ANNOTATION: url}
        binary = None if packed is None else {ITEMS_KEY: packed.items}
        for name in names:
            if await self._create(job, name, annotations, texts, binary):
                return Stored(
                    scores=RunScores.of(results),
                    config_map=name,
                    key=RESULTS_KEY,
                    url=url,
                    truncated=kept.truncated,
                    evidence=None if packed is None else EvidenceRef(config_map=name, digest=packed.digest),
                )
        raise KubeRefused(
            f"ConfigMaps {', '.join(names)} exist with other content: delete one of them, and the results of "
            "this run are stored under its name"
        )

    async def _create(
        self,
        job: NemoEvalJob,
        name: str,
        annotations: dict[str, str],
        texts: dict[str, str],
        binary: dict[str, bytes] | None,
    ) -> bool:
        meta = job.metadata
        return await self._kube.create_config_map(
            meta.namespace,
            name,
            owner=OwnerReference(kind=job.kind, name=meta.name, uid=meta.uid),
            labels={JOB_LABEL: label_value(meta.name)}
            | ({DRY_RUN_LABEL: "true"} if job.spec.dry_run else {}),
            annotations=annotations,
            data=texts,
            binary=binary,
        )


def _bytes_together(job: NemoEvalJob, kept: KeptDocument, packed: Packed) -> int:
    texts = (kept.text, packed.header, config_document(job) or "")
    return sum(len(text.encode()) for text in texts) + len(packed.items)


def _shown(results: Results, known: Redactor, url: str) -> Results:
    """The results as they are kept. Raises Malformed where a name would show a credential: names stay."""
    if known.is_in_names(results.document):
        raise Malformed(f"{url}: the name of a task, metric or score contains a credential", status_code=200)
    return results.hiding(known)
