"""The operator's own evaluator, and no connections: what most tests of the reconcilers need."""

from __future__ import annotations

from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.resources import EvaluatorUsed
from nemo_eval_operator.runtime.heartbeats import Heartbeat
from nemo_eval_operator.sessions import CircuitBreaker, Evaluator, Evaluators, JobTracker, SlotPool
from nemo_eval_operator.workqueue import WorkQueue

URL = "http://evaluator.test"


def one_evaluator(client: EvaluatorClient, queue: WorkQueue) -> Evaluators:
    tracker, used = JobTracker(), EvaluatorUsed(url=URL)
    breaker = CircuitBreaker(client, queue, tracker, Heartbeat(60))
    slot_pool = SlotPool(queue, limit=None)
    own = Evaluator(used=used, client=client, breaker=breaker, tracker=tracker, slot_pool=slot_pool)
    return Evaluators(own, queue=queue)
