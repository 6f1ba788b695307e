"""Sessions with evaluators: everything that the operator keeps about one evaluator while it runs.

A session has a client, a circuit breaker, the jobs that it tracks, the slots that limit them, and the tasks
that poll and recount. The registry opens and closes sessions.
"""

from .bulkhead import Bulkhead
from .circuit_breaker import CircuitBreaker
from .credentials import CredentialsMissing, CredentialsReader
from .factory import HEADERS, EvaluatorFactory
from .job_lists import JobLists
from .job_search import JobSearch, LookUpPostponed
from .recount import SlotRecount
from .recount_turns import RecountTurns
from .registry import Evaluators
from .resolver import EvaluatorResolver
from .secret_store import SecretStore, WithheldSecret
from .session import ConnectionSettings, Evaluator, Opened, connection_key
from .shared_slots import SharedSlots, server_of
from .slot_pool import SlotPool
from .slot_watch import SlotWatch
from .slots import Slots
from .tracker import JobTracker

__all__ = [
    "HEADERS",
    "Bulkhead",
    "CircuitBreaker",
    "ConnectionSettings",
    "CredentialsMissing",
    "CredentialsReader",
    "Evaluator",
    "EvaluatorFactory",
    "EvaluatorResolver",
    "Evaluators",
    "JobLists",
    "JobSearch",
    "JobTracker",
    "LookUpPostponed",
    "Opened",
    "RecountTurns",
    "SecretStore",
    "SharedSlots",
    "SlotPool",
    "SlotRecount",
    "SlotWatch",
    "Slots",
    "WithheldSecret",
    "connection_key",
    "server_of",
]
