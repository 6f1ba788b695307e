"""What Kopf calls. A handler names the object that something happened to, and returns."""

from .changes import Changes
from .comparing import NothingCompared
from .echoes import Echoes
from .registry import Context, build_registry
from .vanished import keep_forgetting_vanished

__all__ = ["Changes", "Context", "Echoes", "NothingCompared", "build_registry", "keep_forgetting_vanished"]
