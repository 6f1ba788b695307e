"""Everything that outlives a request: documents in one SQLite file, logs and samples of jobs in plain files.

The rest of the program sees no SQL.
"""

from nemo_local_evaluator.storage.artifacts import Artifacts, JobArtifacts, make_private_directory
from nemo_local_evaluator.storage.database import Database
from nemo_local_evaluator.storage.entity_store import EntityStore, StoredEntity
from nemo_local_evaluator.storage.job_store import JobStore, StoredJob
from nemo_local_evaluator.storage.listing import Condition, Listing, Operator, Search, Sort
from nemo_local_evaluator.storage.result_store import ResultStore

__all__ = [
    "Artifacts",
    "Condition",
    "Database",
    "EntityStore",
    "JobArtifacts",
    "JobStore",
    "Listing",
    "Operator",
    "ResultStore",
    "Search",
    "Sort",
    "StoredEntity",
    "StoredJob",
    "make_private_directory",
]
