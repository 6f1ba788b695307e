"""Failures of infrastructure, after which the same evaluation may succeed.

The API has one word, `failed`, and a message for people, and an evaluator that checks the model before it
takes a job puts such a message into its refusal (400). So the messages that are known to be about a server
or a node are listed here; everything else is the evaluation's own failure, which is a result.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_infrastructure"]

INFRASTRUCTURE: Final = re.compile(
    r"""
      \bserver\ was\ restarted\b                       # the local evaluator, after a restart
    | \b(PreemptionByScheduler|DeletionByTaintManager   # reasons of a pod's condition DisruptionTarget
        |EvictionByEvictionAPI|DeletionByPodGC|TerminationByKubelet|DisruptionTarget)\b
    | \b(NodeLost|NodeShutdown)\b                       # the kubelet's
    | \breason:\ (Evicted|Preempted|Preempting|Shutdown)\b
    | \b(pod|job|container|workload)\ (\S+\ )?((was|has\ been)\ )?(evicted|preempted)\b
    | \b(cannot|can't|could\ not)\ be\ reached\b        # a model, at the launch or in the run
    | \bpreempted\ in\ order\ to\ admit\ critical\ pod\b
    | \bthe\ node\ was\ low\ on\ resource\b             # evicted for its pressure
    | \bthe\ node\ had\ condition:
    | \bnode\ didn't\ have\ enough\ resource\b
    | \bimminent\ node\ shutdown\b
    | \bnode\ is\ shutting\ down\b
    | (^|:\ )pod\ deleted(\ during\ operation)?\W*$      # Argo Workflows
    | \bnode\ (\S+\ )?((was|is|has\ been)\ )?(lost|drained|shut\ ?down|not\ ?ready)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Sources: Kubernetes, "Disruptions", pod disruption conditions; the kubelet's messages for evictions,
preemptions, admission and shutdown; Argo Workflows. NeMo documents no texts of its own."""


def is_infrastructure(message: str | None) -> bool:
    """Return whether the message of a failed or refused job blames a server or node; False in doubt."""
    return message is not None and INFRASTRUCTURE.search(message) is not None
