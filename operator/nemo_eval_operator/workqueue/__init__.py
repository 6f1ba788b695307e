"""Work queue of object keys: fair between namespaces, one worker per object, retries with backoff."""

from .fair_queue import FairQueue
from .object_states import ObjectState, ObjectStates
from .queue import WorkQueue
from .retries import RetryLater, WaitInLane
from .shares import OWN_LANE, Shares

__all__ = [
    "OWN_LANE",
    "FairQueue",
    "ObjectState",
    "ObjectStates",
    "RetryLater",
    "Shares",
    "WaitInLane",
    "WorkQueue",
]
