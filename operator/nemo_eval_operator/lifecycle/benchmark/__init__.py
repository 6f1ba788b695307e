"""Decisions about a NemoBenchmark and the config that it owns in the evaluator."""

from .decision import check_config, decide_benchmark
from .deletion import RELEASE_PATIENCE, release_benchmark_seconds
from .facts import BenchmarkFacts, ConfigGone
from .recorded import has_new_config_maps, has_new_secrets, is_same_spec, was_ready, was_reconciled
from .remote_config import config_trouble, is_used_by

__all__ = [
    "RELEASE_PATIENCE",
    "BenchmarkFacts",
    "ConfigGone",
    "check_config",
    "config_trouble",
    "decide_benchmark",
    "has_new_config_maps",
    "has_new_secrets",
    "is_same_spec",
    "is_used_by",
    "release_benchmark_seconds",
    "was_ready",
    "was_reconciled",
]
