"""The doing: takes a key, reads the object, does the steps that `lifecycle` names. Knows no Kopf."""

from .benchmarks import BenchmarkReconciler
from .following import Followed, Following
from .gate import EvaluatorGate
from .jobs import JobReconciler
from .queue import Reconcile, RetryLater, WorkQueue
from .secrets import SecretReader
from .waiting import Waiting

__all__ = [
    "BenchmarkReconciler",
    "EvaluatorGate",
    "Followed",
    "Following",
    "JobReconciler",
    "Reconcile",
    "RetryLater",
    "SecretReader",
    "Waiting",
    "WorkQueue",
]
