"""Everything that outlives a request, in one SQLite file. The rest of the package sees no SQL."""

from nemo_local_evaluator.storage.database import Database
from nemo_local_evaluator.storage.entities import EntityStore, StoredEntity
from nemo_local_evaluator.storage.jobs import JobStore, StoredJob
from nemo_local_evaluator.storage.listing import Condition, Listing, Operator, Search, Sort
from nemo_local_evaluator.storage.results import ResultStore

__all__ = [
    "Condition",
    "Database",
    "EntityStore",
    "JobStore",
    "Listing",
    "Operator",
    "ResultStore",
    "Search",
    "Sort",
    "StoredEntity",
    "StoredJob",
]
