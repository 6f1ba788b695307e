"""The operator: NemoBenchmark and NemoEvalJob objects become configs and jobs of a NeMo Evaluator."""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("nemo-eval-operator")
