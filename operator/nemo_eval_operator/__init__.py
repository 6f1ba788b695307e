"""The operator: NemoBenchmark and NemoEvalJob objects become configs and jobs of a NeMo Evaluator."""

from importlib.metadata import version

from .imports import import_without

__all__ = ["__version__"]

# Its command line, which brings rich, pygments and click along.
import_without("httpx", part="httpx._main")

__version__ = version("nemo-eval-operator")
