"""The doing: takes a key, reads the object, does the steps that `lifecycle` names. Knows no Kopf."""

from .admission import Admission
from .benchmarks import BenchmarkReconciler
from .books import Books
from .census import take_census
from .following import Followed, Following
from .gate import EvaluatorGate
from .jobs import JobReconciler
from .note import NoteTaker
from .queue import Reconcile, RetryLater, WorkQueue
from .secrets import SecretReader
from .waiting import Waiting

__all__ = [
    "Admission",
    "BenchmarkReconciler",
    "Books",
    "EvaluatorGate",
    "Followed",
    "Following",
    "JobReconciler",
    "NoteTaker",
    "Reconcile",
    "RetryLater",
    "SecretReader",
    "Waiting",
    "WorkQueue",
    "take_census",
]
