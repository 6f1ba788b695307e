"""Decisions, all pure: the object, what the world says and the time in; the next step and status out.

No I/O, no clock, no randomness: "what happens when the evaluator answers 503 to a
create" is one function here, with its test.
"""

from . import attempt_status, benchmark_status, connection_status, job_status
from .admission import Admitted, Counting, Queued, Run, Turn, occupies, rounded_place, run_of
from .allowed_hosts import AllowedHosts, HostNotAllowed, check_hosts
from .attempts import is_same_attempt
from .benchmark import (
    BenchmarkFacts,
    ConfigGone,
    check_config,
    config_trouble,
    has_new_config_maps,
    has_new_secrets,
    is_same_spec,
    is_used_by,
    was_ready,
    was_reconciled,
)
from .benchmark import decide as decide_benchmark
from .benchmark import release_seconds as release_benchmark_seconds
from .clock import micro_timestamp, parse_timestamp, timestamp
from .conditions import reason_of
from .connection_deletion import Hold, Needs, hold_of, needs_of
from .dataset_rows import MAX_DATASET_BYTES, BadRows, DatasetRows, rows_in
from .datasets import Datasets, UnusableDataset, check_size, dataset_refs, with_rows, with_rows_recorded
from .drift import update_body
from .evaluators import (
    connection_name,
    defaults_among,
    evaluator_of_record,
    is_bound,
    mismatch,
    moved,
    not_allowed,
    not_found,
    referred_connection,
    terminating,
)
from .events import (
    Event,
    event_of_change,
    event_of_ignored_rerun,
    event_of_ignored_ttl,
    event_of_moved_config,
)
from .facts import (
    BenchmarkUnusable,
    EvaluatorUnusable,
    Facts,
    LookUp,
    RemoteGone,
    RemoteUnclear,
    Stored,
    goes_on,
)
from .glimpse import Glimpse, glimpse_of, glimpse_told_by
from .job import decide as decide_job
from .job import depends_on_remote
from .job_deletion import release_seconds as release_job_seconds
from .lookup import pick_marked
from .marks import (
    FINALIZER,
    RERUN_ANNOTATION,
    OwnerMark,
    claim_of,
    claimed_evaluator,
    owner_mark,
    uid_carried,
)
from .measured import CONFIG_KEY, config_document, measured_config
from .pace import poll_seconds, rest_seconds
from .plain_secrets import event_of_plain_secrets, plain_secrets
from .readable import read_benchmark, read_connection, read_job
from .release import left_running
from .requests import SecretValues, carries_config, config_body, config_name, job_body
from .results import DRY_RUN_LABEL, RESULTS_KEY, config_map_names, label_value, results_document
from .score_line import partly
from .secret_guard import ALLOW_LABEL, is_released, not_released
from .target_paths import UnusableSpec, UnusableTargetPath
from .tenancy import Tenancy, check_values
from .unknown_fields import event_of_unknown_fields
from .value_places import check_places

__all__ = [
    "ALLOW_LABEL",
    "CONFIG_KEY",
    "DRY_RUN_LABEL",
    "FINALIZER",
    "MAX_DATASET_BYTES",
    "RERUN_ANNOTATION",
    "RESULTS_KEY",
    "Admitted",
    "AllowedHosts",
    "BadRows",
    "BenchmarkFacts",
    "BenchmarkUnusable",
    "ConfigGone",
    "Counting",
    "DatasetRows",
    "Datasets",
    "EvaluatorUnusable",
    "Event",
    "Facts",
    "Glimpse",
    "Hold",
    "HostNotAllowed",
    "LookUp",
    "Needs",
    "OwnerMark",
    "Queued",
    "RemoteGone",
    "RemoteUnclear",
    "Run",
    "SecretValues",
    "Stored",
    "Tenancy",
    "Turn",
    "UnusableDataset",
    "UnusableSpec",
    "UnusableTargetPath",
    "attempt_status",
    "benchmark_status",
    "carries_config",
    "check_config",
    "check_hosts",
    "check_places",
    "check_size",
    "check_values",
    "claim_of",
    "claimed_evaluator",
    "config_body",
    "config_document",
    "config_map_names",
    "config_name",
    "config_trouble",
    "connection_name",
    "connection_status",
    "dataset_refs",
    "decide_benchmark",
    "decide_job",
    "defaults_among",
    "depends_on_remote",
    "evaluator_of_record",
    "event_of_change",
    "event_of_ignored_rerun",
    "event_of_ignored_ttl",
    "event_of_moved_config",
    "event_of_plain_secrets",
    "event_of_unknown_fields",
    "glimpse_of",
    "glimpse_told_by",
    "goes_on",
    "has_new_config_maps",
    "has_new_secrets",
    "hold_of",
    "is_bound",
    "is_released",
    "is_same_attempt",
    "is_same_spec",
    "is_used_by",
    "job_body",
    "job_status",
    "label_value",
    "left_running",
    "measured_config",
    "micro_timestamp",
    "mismatch",
    "moved",
    "needs_of",
    "not_allowed",
    "not_found",
    "not_released",
    "occupies",
    "owner_mark",
    "parse_timestamp",
    "partly",
    "pick_marked",
    "plain_secrets",
    "poll_seconds",
    "read_benchmark",
    "read_connection",
    "read_job",
    "reason_of",
    "referred_connection",
    "release_benchmark_seconds",
    "release_job_seconds",
    "rest_seconds",
    "results_document",
    "rounded_place",
    "rows_in",
    "run_of",
    "terminating",
    "timestamp",
    "uid_carried",
    "update_body",
    "was_ready",
    "was_reconciled",
    "with_rows",
    "with_rows_recorded",
]
