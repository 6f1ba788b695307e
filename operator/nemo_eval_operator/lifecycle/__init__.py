"""Decisions, all pure: the object, what the world says and the time in; the next step and status out.

No I/O, no clock, no randomness: "what happens when the evaluator answers 503 to a
create" is one function here, with its test.
"""

from . import benchmark_status, job_status
from .benchmark import BenchmarkFacts, ConfigGone, was_ready
from .benchmark import decide as decide_benchmark
from .clock import timestamp
from .drift import update_body
from .events import Event, event_of_change, event_of_ignored_ttl
from .facts import BenchmarkUnusable, Facts, LookUp, RemoteGone, Stored
from .glimpse import Glimpse, glimpse_of, glimpse_told_by
from .job import decide as decide_job
from .marks import FINALIZER, carries_attempt, claim_of
from .requests import SecretValues, UnusableTargetPath, carries_config, config_body, config_name, job_body
from .results import RESULTS_KEY, config_map_name, results_document

__all__ = [
    "FINALIZER",
    "RESULTS_KEY",
    "BenchmarkFacts",
    "BenchmarkUnusable",
    "ConfigGone",
    "Event",
    "Facts",
    "Glimpse",
    "LookUp",
    "RemoteGone",
    "SecretValues",
    "Stored",
    "UnusableTargetPath",
    "benchmark_status",
    "carries_attempt",
    "carries_config",
    "claim_of",
    "config_body",
    "config_map_name",
    "config_name",
    "decide_benchmark",
    "decide_job",
    "event_of_change",
    "event_of_ignored_ttl",
    "glimpse_of",
    "glimpse_told_by",
    "job_body",
    "job_status",
    "results_document",
    "timestamp",
    "update_body",
    "was_ready",
]
