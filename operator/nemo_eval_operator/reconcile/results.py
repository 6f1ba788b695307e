"""Keeps a finished job's results where kubectl can read them: an immutable ConfigMap that the job owns."""

from __future__ import annotations

from nemo_eval_operator.evaluator import Results
from nemo_eval_operator.kube import KubeClient, KubeRefused, OwnerReference
from nemo_eval_operator.lifecycle import RESULTS_KEY, Stored, config_map_name, results_document
from nemo_eval_operator.resources import NemoEvalJob

__all__ = ["ResultsKeeper"]

JOB_LABEL = "evaluator.nemo.dev/job"


class ResultsKeeper:
    """Stores results; storing the same twice, as after a crash, changes nothing."""

    def __init__(self, kube: KubeClient) -> None:
        self._kube = kube

    async def keep(self, job: NemoEvalJob, results: Results) -> Stored:
        document, truncated = results_document(results)
        name = config_map_name(job.metadata.name)
        if not await self._create(job, name, document):
            # A ConfigMap of that name is somebody else's: ours takes one that cannot be.
            name = config_map_name(job.metadata.name, distinct=job.metadata.uid[:8])
            if not await self._create(job, name, document):
                raise KubeRefused(f"ConfigMaps of both possible names exist and are not this job's: {name}")
        return Stored(results=results, config_map=name, key=RESULTS_KEY, truncated=truncated)

    async def _create(self, job: NemoEvalJob, name: str, document: str) -> bool:
        meta = job.metadata
        return await self._kube.create_config_map(
            meta.namespace,
            name,
            owner=OwnerReference(kind=job.kind, name=meta.name, uid=meta.uid),
            # A label's value holds at most 63 characters; an object's name may be longer.
            labels={JOB_LABEL: meta.name} if len(meta.name) <= 63 else {},  # noqa: PLR2004
            data={RESULTS_KEY: document},
        )
