"""Objects that were deleted while a watch was cut: a list that is read again does not report them.

Kopf lists all objects again when a watch has expired (410) or was restarted, and reports those that it finds.
So the known objects are compared with a list of our own from time to time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from nemo_eval_operator.kube import KubeClient, KubeError
from nemo_eval_operator.resources import LabelSelector, NemoBenchmark, NemoEvalJob, NemoEvaluatorConnection
from nemo_eval_operator.runtime.backoff import spread

from .registry import Context

__all__ = ["forget_vanished", "keep_forgetting_vanished"]

logger = logging.getLogger(__name__)

FIRST_COMPARISON_SECONDS: Final = 60.0
"""Seconds before the first comparison: objects may have been deleted between the first list and the watch."""

COMPARISON_SECONDS: Final = 900.0
"""Seconds between two comparisons. Until then a vanished object occupies memory and is counted in metrics."""


async def keep_forgetting_vanished(
    context: Context, kube: KubeClient, namespaces: Sequence[str], selector: LabelSelector
) -> None:
    """Run until cancelled."""
    pause = FIRST_COMPARISON_SECONDS
    while True:
        await asyncio.sleep(spread(pause))
        await forget_vanished(context, kube, namespaces, selector)
        pause = COMPARISON_SECONDS


async def forget_vanished(
    context: Context, kube: KubeClient, namespaces: Sequence[str], selector: LabelSelector
) -> None:
    """Forget the objects that lists of `namespaces` (none: all) do not show any more."""
    for kind in (NemoBenchmark, NemoEvalJob, NemoEvaluatorConnection):
        # Before the list is read: an object that comes while it is read need not be in it.
        known = context.changes.of_kind(kind.PLURAL)
        try:
            for namespace in namespaces or (None,):
                async for uid in kube.list_uids(kind.PLURAL, namespace, selector=selector.text):
                    known.pop(uid, None)
        except KubeError as error:
            logger.info("%s are compared with their list later: %s", kind.PLURAL, error)
            continue
        for uid, key in known.items():
            logger.info("%s vanished without an event", key)
            context.gone(uid, key)
