"""Commands of `nemo-eval-operator`, one module each; each imports what only it needs when it is run."""

from .gate import GateCommand, gate
from .health import health
from .release import release
from .results import results
from .run import run

__all__ = ["GateCommand", "gate", "health", "release", "results", "run"]
