"""Everything that outlives a request: documents in one SQLite file, logs and samples of jobs in plain files.

The rest of the program sees no SQL.
"""

from .artifacts import Artifacts, JobArtifacts, make_private_directory
from .database import Database
from .entity_store import EntityStore, StoredEntity
from .job_store import JobStore, StoredJob
from .listing import Condition, Listing, Operator, Search, Sort
from .result_store import ResultStore

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
