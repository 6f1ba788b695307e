"""The operator's own evaluator, and no connections: what most tests of the reconcilers need."""

from __future__ import annotations

from nemo_eval_operator.evaluator import EvaluatorClient
from nemo_eval_operator.heartbeats import Heartbeat
from nemo_eval_operator.reconcile import (
    Admission,
    Evaluator,
    EvaluatorGate,
    Evaluators,
    Following,
    WorkQueue,
)
from nemo_eval_operator.resources import EvaluatorUsed

URL = "http://evaluator.test"


def one_evaluator(client: EvaluatorClient, queue: WorkQueue) -> Evaluators:
    following, used = Following(), EvaluatorUsed(url=URL)
    gate = EvaluatorGate(client, queue, following, Heartbeat(60))
    admission = Admission(queue, limit=None)
    own = Evaluator(used=used, client=client, gate=gate, following=following, admission=admission)
    return Evaluators(own, queue=queue)
