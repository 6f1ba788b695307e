"""Records what came of a call to the evaluator, also where the object was edited while the call was made.

The answer to a submission exists nowhere else: one that is dropped makes the job uncertain, or is looked for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from typing import Final, TypeVar

from nemo_eval_operator.kube import KubeClient, KubeUnavailable, ObjectGone, Outdated, key_of
from nemo_eval_operator.lifecycle import read_benchmark, read_job
from nemo_eval_operator.lifecycle.benchmark import is_same_spec
from nemo_eval_operator.lifecycle.job import is_same_attempt
from nemo_eval_operator.resources import BenchmarkStatus, EvalJobStatus, NemoBenchmark, NemoEvalJob
from nemo_eval_operator.runtime.backoff import pauses

from .objects import ObjectWriter

__all__ = ["OutcomeWriter"]

logger = logging.getLogger(__name__)

OwnedT = TypeVar("OwnedT", NemoBenchmark, NemoEvalJob)

MAX_WRITES: Final = 5
"""Writes of one outcome; after that the object is reconciled again like any other that has changed."""

FIRST_PAUSE_SECONDS: Final = 0.1
MAX_PAUSE_SECONDS: Final = 1.0


class OutcomeWriter:
    """Writes statuses by `objects`, and reads an object again where its write conflicts."""

    def __init__(self, kube: KubeClient, objects: ObjectWriter) -> None:
        self._kube = kube
        self._objects = objects

    async def record(
        self, thing: OwnedT, status_of: Callable[[OwnedT], BenchmarkStatus | EvalJobStatus]
    ) -> OwnedT:
        """Write `status_of` the object, and return the object as it is then.

        Raises Outdated where the outcome is not about the object as it is now, or others keep writing it;
        ObjectGone; and KubeUnavailable where Kubernetes does not answer several times.
        """
        latest = thing
        for pause in islice(pauses(first=FIRST_PAUSE_SECONDS, longest=MAX_PAUSE_SECONDS), MAX_WRITES - 1):
            try:
                return await self._objects.record(latest, status_of(latest))
            except (Outdated, KubeUnavailable) as error:
                logger.info("%s: reading it again to record an outcome: %s", key_of(thing), error)
            await asyncio.sleep(pause)
            # Where it cannot be read, the write is repeated: it conflicts if the object has changed.
            with suppress(KubeUnavailable):
                latest = await self._read_again(thing)
        return await self._objects.record(latest, status_of(latest))

    async def _read_again(self, thing: OwnedT) -> OwnedT:
        """Return the object as it is now. Raises Outdated where the outcome for `thing` is not about it."""
        key = key_of(thing)
        document, _ = await self._kube.read(key)
        if document is None:
            raise ObjectGone(f"{key.path} is gone")
        # Of a spec that became unreadable only a stand-in is read; the outcome is the attempt's all the same.
        if isinstance(thing, NemoEvalJob):
            job, _ = read_job(document)
            if is_same_attempt(thing, job):
                return job
        else:
            benchmark, _ = read_benchmark(document)
            if is_same_spec(thing, benchmark):
                return benchmark
        raise Outdated(f"{key.path} changed, and the outcome is not about it any more")
