"""Which jobs run already, read from their objects at the start: before that none may be added to them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from nemo_eval_operator.backoff import pauses
from nemo_eval_operator.heartbeats import Heartbeat
from nemo_eval_operator.kube import KubeClient, KubeError
from nemo_eval_operator.lifecycle import read_job
from nemo_eval_operator.resources import EVALJOB_PLURAL, LabelSelector

from .evaluators import Evaluator

__all__ = ["take_census"]

logger = logging.getLogger(__name__)

FIRST_RETRY_SECONDS: Final = 1.0
MAX_RETRY_SECONDS: Final = 30.0


async def take_census(
    kube: KubeClient,
    evaluator: Evaluator,
    *,
    namespaces: Sequence[str],
    selector: LabelSelector,
    heartbeat: Heartbeat,
) -> None:
    """Note every job of the namespaces (none: of all) that has a place there, then open the admission."""
    admission, pause = evaluator.admission, pauses(first=FIRST_RETRY_SECONDS, longest=MAX_RETRY_SECONDS)
    for namespace in namespaces or (None,):
        while True:
            heartbeat.beat()
            try:
                async for document in kube.list_all(EVALJOB_PLURAL, namespace, selector=selector.text):
                    heartbeat.beat()
                    job = read_job(document)[0]
                    if evaluator.has(job):
                        admission.note(job)
                break
            except KubeError as error:
                logger.warning("running jobs are not counted yet, nothing is submitted: %s", error)
                seconds = next(pause)
                heartbeat.rest(seconds)
                await asyncio.sleep(seconds)
    heartbeat.rest()
    admission.open()
    logger.info("%d jobs run already at %s", admission.running, evaluator.used.url)
