"""What Kopf calls. A handler names the object that something happened to, and returns."""

from .changes import Changes
from .comparing import NoDiffBase
from .registry import Context, build_registry
from .vanished import keep_forgetting_vanished
from .watch_liveness import WatchLiveness

__all__ = ["Changes", "Context", "NoDiffBase", "WatchLiveness", "build_registry", "keep_forgetting_vanished"]
