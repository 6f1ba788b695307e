"""Decisions, all pure: the object, what the world says and the time in; the next step and status out.

No I/O, no clock, no randomness: "what happens when the evaluator answers 503 to a
create" is one function here, with its test.
"""

from . import benchmark_status, job_status
from .benchmark import BenchmarkFacts, ConfigGone, has_new_secrets, was_ready
from .benchmark import decide as decide_benchmark
from .clock import timestamp
from .drift import update_body
from .events import Event, event_of_change, event_of_ignored_ttl
from .facts import BenchmarkUnusable, Facts, LookUp, RemoteGone, Stored
from .glimpse import Glimpse, glimpse_of, glimpse_told_by
from .job import decide as decide_job
from .marks import FINALIZER, carries_attempt, claim_of
from .plain_secrets import event_of_plain_secrets, plain_secrets
from .requests import SecretValues, carries_config, config_body, config_name, job_body
from .results import RESULTS_KEY, config_map_names, label_value, results_document
from .target_paths import UnusableTargetPath

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
    "config_map_names",
    "config_name",
    "decide_benchmark",
    "decide_job",
    "event_of_change",
    "event_of_ignored_ttl",
    "event_of_plain_secrets",
    "glimpse_of",
    "glimpse_told_by",
    "has_new_secrets",
    "job_body",
    "job_status",
    "label_value",
    "plain_secrets",
    "results_document",
    "timestamp",
    "update_body",
    "was_ready",
]
