"""Commands of `kubectl nemoeval`, one module each; each imports what only it needs when it is run."""

from .export import export
from .get import get
from .report import report
from .wait import wait
from .why import why

__all__ = ["export", "get", "report", "wait", "why"]
