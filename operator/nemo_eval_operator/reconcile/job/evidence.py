"""Evidence of runs, packed into immutable ConfigMaps; `kept_evidence` reads it.

Where results are small, their ConfigMap also keeps the evidence that can be made of them (`ResultsKeeper`),
which saves a write; evidence of the run's files has a ConfigMap of its own.

Missing evidence never fails a run: gates then judge by the results document, or are inconclusive.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.evaluator.model import (
    Ambiguous,
    EvaluatorError,
    Malformed,
    Redactor,
    Results,
    Unauthorized,
    Unavailable,
)
from nemo_eval_operator.gates import (
    Evidence,
    Packed,
    SampleScores,
    evidence_of,
    pack,
    samples_in,
)
from nemo_eval_operator.json_types import JSON_OBJECT
from nemo_eval_operator.kube import KubeClient, KubeError, KubeRefused, OwnerReference
from nemo_eval_operator.lifecycle.job import (
    HEADER_KEY,
    ITEMS_KEY,
    TRUNCATED_KEY,
    baseline_names,
    evidence_names,
    label_value,
)
from nemo_eval_operator.resources import BaselineUsed, EvidenceRef, NemoEvalJob
from nemo_eval_operator.runtime.threads import SMALL_VALUES, compute, is_small
from nemo_eval_operator.traces import trace_of

from .read_turns import ReadTurns

__all__ = ["EvidenceStore", "FilesNotRead", "KeptDocument", "RunEvidence"]

logger = logging.getLogger(__name__)

JOB_LABEL: Final = "evaluator.nemo.dev/job"


class FilesNotRead(Exception):
    """The files of a job, with the scores of its items, cannot be read now; a later attempt may succeed."""


@dataclass(frozen=True, slots=True)
class KeptDocument:
    """A results document as it is kept. `truncated`: rows were left out."""

    text: str
    truncated: bool


@dataclass(frozen=True, slots=True)
class RunEvidence:
    """What the evidence of a run is made of, without the rest of its results, which may take much memory."""

    job_id: str
    kept: KeptDocument
    evidence: Evidence

    @property
    def has_all_items(self) -> bool:
        """Return whether the results document has the scores of all items."""
        return all(score.has_all_items for score in self.evidence.scores)

    def with_samples(self, samples: Mapping[str, SampleScores]) -> Evidence:
        """Return the evidence with the samples of the whole run."""
        document = JSON_OBJECT.validate_json(self.kept.text)
        if self.kept.truncated:
            # Its rows are not used.
            del document[TRUNCATED_KEY]
        return evidence_of(document, samples)


class EvidenceStore:
    """Evidence in ConfigMaps; keeping the same twice, as after a crash, changes nothing."""

    def __init__(self, kube: KubeClient) -> None:
        self._kube = kube
        self._turns = ReadTurns()
        """Turns to read archives."""

    async def evidence_of_run(
        self, job: NemoEvalJob, shown: Results, kept: KeptDocument
    ) -> RunEvidence | None:
        """Return what evidence is made of, which is small; None where it cannot be made."""
        try:
            return RunEvidence(
                shown.job, kept, await compute(is_small(shown.document), evidence_of, shown.document)
            )
        except Exception as error:  # noqa: BLE001 - evidence is optional, and no answer may hold up a run
            _report(job, error)
            return None

    async def pack_document(self, job: NemoEvalJob, run: RunEvidence) -> Packed | None:
        """Return the evidence that the results document has, packed; None where it cannot be packed."""
        try:
            return await _packed(run.evidence)
        except Exception as error:  # noqa: BLE001 - evidence is optional, and no answer may hold up a run
            _report(job, error)
            return None

    async def keep(
        self,
        evaluator: EvaluatorClient,
        job: NemoEvalJob,
        run: RunEvidence,
        known: Redactor,
        *,
        only_files: bool = False,
        tries_again: bool = False,
    ) -> EvidenceRef | None:
        """Keep the evidence of a run; None where Kubernetes refuses it, as for a quota.

        None also where the evidence cannot be made: the results are kept without it; and with `only_files`,
        where that of the results document is kept already and the run's files have no scores of items.

        Raises FilesNotRead with `tries_again`, where another attempt may find the scores of all items;
        without it the evidence is kept without them. Raises KubeError where Kubernetes does not answer.
        """
        try:
            found = run.evidence
            if not run.has_all_items:
                files = await self._with_files(evaluator, job, run, known, tries_again=tries_again)
                if files is None and only_files:
                    return None
                found = files or found
            packed = await _packed(found)
            return await self._create(job, evidence_names(job, digest=packed.digest), packed)
        except (FilesNotRead, KubeError):
            raise
        except Exception as error:  # noqa: BLE001 - evidence is optional, and no answer may hold up a run
            _report(job, error)
            return None

    async def _with_files(
        self,
        evaluator: EvaluatorClient,
        job: NemoEvalJob,
        run: RunEvidence,
        known: Redactor,
        *,
        tries_again: bool,
    ) -> Evidence | None:
        """Return the evidence with the samples of the whole run, where the evaluator has them."""
        async with self._turns.read(job):
            try:
                archive = await evaluator.download_results(run.job_id)
            except EvaluatorError as error:
                if tries_again and _may_pass(error):
                    raise FilesNotRead(f"download-results cannot be read: {error}") from error
                logger.info("results of %s are compared without items: %s", run.job_id, error)
                return None
            async with self._turns.parsing:
                samples = await asyncio.to_thread(samples_in, archive, known.hide_in)
                return await asyncio.to_thread(run.with_samples, samples) if samples else None

    async def copy(self, job: NemoEvalJob, baseline: BaselineUsed, evidence: Evidence) -> EvidenceRef | None:
        """Keep a baseline's evidence with the job that was compared with it."""
        packed = await asyncio.to_thread(pack, evidence)
        return await self._create(job, baseline_names(job, baseline, digest=packed.digest), packed)

    async def _create(self, job: NemoEvalJob, names: tuple[str, ...], packed: Packed) -> EvidenceRef | None:
        meta = job.metadata
        try:
            for name in names:
                if await self._kube.create_config_map(
                    meta.namespace,
                    name,
                    owner=OwnerReference(kind=job.kind, name=meta.name, uid=meta.uid),
                    labels={JOB_LABEL: label_value(meta.name)},
                    annotations={},
                    data={HEADER_KEY: packed.header},
                    binary={ITEMS_KEY: packed.items},
                ):
                    return EvidenceRef(config_map=name, digest=packed.digest)
        except KubeRefused as error:
            logger.warning("%s/%s: evidence is not kept: %s", meta.namespace, meta.name, error)
        return None


async def _packed(evidence: Evidence) -> Packed:
    few = sum(len(score.items) for score in evidence.scores) <= SMALL_VALUES
    return await compute(few, pack, evidence)


def _report(job: NemoEvalJob, error: Exception) -> None:
    # Not the text of the error, which may quote the evaluator.
    logger.error(
        "%s/%s: evidence is not kept; unexpected exception, please report it: %s",
        job.metadata.namespace,
        job.metadata.name,
        trace_of(error),
    )


def _may_pass(error: EvaluatorError) -> bool:
    """Return whether a later request may get the files; not where the evaluator does not offer them.

    Not each evaluator has the route, so that a 404 is taken for that, also where a gateway gives it.
    """
    passes = isinstance(error, Unavailable | Ambiguous) and not isinstance(error, Unauthorized | Malformed)
    return passes and error.status_code != HTTPStatus.NOT_FOUND
