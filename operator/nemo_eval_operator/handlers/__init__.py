"""Kopf handlers: each queues the key of the object that changed, and returns."""

from .changes import Changes
from .comparing import NoDiffBase
from .own_writes import OwnWrites
from .registry import Context, build_registry
from .vanished import keep_forgetting_vanished
from .watch_liveness import WatchLiveness

__all__ = [
    "Changes",
    "Context",
    "NoDiffBase",
    "OwnWrites",
    "WatchLiveness",
    "build_registry",
    "keep_forgetting_vanished",
]
