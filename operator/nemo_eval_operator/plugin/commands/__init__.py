"""Commands of `kubectl nemoeval`, one module each; each imports what only it needs when it is run."""

from .compare import compare
from .doctor import doctor
from .export import export
from .get import get
from .importing import import_file
from .logs import logs
from .report import report
from .results import results
from .rows import rows
from .run import run
from .steer import cancel, rerun, resume, suspend
from .wait import wait
from .why import why

__all__ = [
    "cancel",
    "compare",
    "doctor",
    "export",
    "get",
    "import_file",
    "logs",
    "report",
    "rerun",
    "results",
    "resume",
    "rows",
    "run",
    "suspend",
    "wait",
    "why",
]
