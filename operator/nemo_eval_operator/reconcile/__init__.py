"""The doing: takes a key, reads the object, does the steps that `lifecycle` names. Knows no Kopf."""

from .admission import Admission
from .benchmarks import BenchmarkReconciler
from .books import Books
from .bulkhead import Bulkhead
from .census import Census
from .census_turns import CensusTurns
from .choosing import Chooser
from .connections import ConnectionReconciler
from .credentials import CredentialsReader
from .evaluators import CONNECTIONS, Evaluator, Evaluators, Opened, Terms, connection_key
from .following import Followed, Following
from .gate import EvaluatorGate
from .jobs import JobReconciler
from .lanes import Lanes
from .note import NoteTaker
from .places import Places
from .queue import Reconcile, RetryLater, WorkQueue
from .secret_store import SecretStore
from .secrets import SecretReader
from .shared_places import SharedPlaces, server_of
from .shares import Shares
from .slot_watch import SlotWatch
from .waiting import Waiting

__all__ = [
    "CONNECTIONS",
    "Admission",
    "BenchmarkReconciler",
    "Books",
    "Bulkhead",
    "Census",
    "CensusTurns",
    "Chooser",
    "ConnectionReconciler",
    "CredentialsReader",
    "Evaluator",
    "EvaluatorGate",
    "Evaluators",
    "Followed",
    "Following",
    "JobReconciler",
    "Lanes",
    "NoteTaker",
    "Opened",
    "Places",
    "Reconcile",
    "RetryLater",
    "SecretReader",
    "SecretStore",
    "SharedPlaces",
    "Shares",
    "SlotWatch",
    "Terms",
    "Waiting",
    "WorkQueue",
    "connection_key",
    "server_of",
]
