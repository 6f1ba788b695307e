"""Reference of reasons: the meaning of each for users, by kind.

docs/reference/conditions.md is generated from it. A message says what happened to one object; the text here
says what its reason means for any object.
"""

from .benchmarks import BENCHMARK_ENTRIES
from .connections import CONNECTION_ENTRIES
from .entries import ConditionEntry, EventEntry
from .events import EVENT_ENTRIES
from .jobs import JOB_ENTRIES

__all__ = [
    "BENCHMARK_ENTRIES",
    "CONNECTION_ENTRIES",
    "EVENT_ENTRIES",
    "JOB_ENTRIES",
    "ConditionEntry",
    "EventEntry",
]
