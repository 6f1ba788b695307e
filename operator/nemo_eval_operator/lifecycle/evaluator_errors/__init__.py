"""Meaning of an evaluator's errors, as one pure table."""

from .table import CONFIG_RECHECK_SECONDS, LOOK_UP_HINT, meaning_of
from .terms import BreakerAction, Failure, Meaning, Operation, Retry

__all__ = [
    "CONFIG_RECHECK_SECONDS",
    "LOOK_UP_HINT",
    "BreakerAction",
    "Failure",
    "Meaning",
    "Operation",
    "Retry",
    "meaning_of",
]
