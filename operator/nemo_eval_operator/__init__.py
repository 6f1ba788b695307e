"""The operator: NemoBenchmark and NemoEvalJob objects become configs and jobs of a NeMo Evaluator."""

import sys
from typing import TYPE_CHECKING

from .imports import hide

__all__ = ["__version__"]

if "httpx" not in sys.modules:
    # Its command line, which brings rich, pygments and click along.
    hide("httpx._main")

__version__: str

if not TYPE_CHECKING:

    def __getattr__(name: str) -> str:
        """Look the version up when it is used, which costs more than all else that --help needs."""
        if name != "__version__":
            raise AttributeError(f"module {__name__} has no attribute {name}")
        from importlib.metadata import version  # noqa: PLC0415

        return version("nemo-eval-operator")
