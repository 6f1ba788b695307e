"""Decisions about a NemoEvalJob: from the submission to results, retries and deletion."""

from .attempts import is_same_attempt
from .baseline import (
    BaselineFound,
    NewestJob,
    WaitForBaseline,
    choose_named,
    difference,
    selector_text,
)
from .decision import decide_job
from .deletion import release_job_seconds
from .evidence import HEADER_KEY, ITEMS_KEY, baseline_names, evidence_names
from .facts import (
    UNKNOWN,
    BenchmarkUnusable,
    EvaluatorUnusable,
    Facts,
    LookUp,
    NothingNew,
    RemoteGone,
    RemoteUnclear,
    ResolvedEvaluator,
    Stored,
    Unknown,
    goes_on,
)
from .gate import GateFacts, Judged, new_verdict
from .gate_hash import baseline_hash, gate_hash
from .lookup import evaluator_of_record, pick_marked, status_was_lost
from .pace import poll_seconds, rest_seconds
from .release import left_running
from .results import (
    DRY_RUN_LABEL,
    RESULTS_KEY,
    TRUNCATED_KEY,
    config_map_names,
    label_value,
    results_document,
)
from .score_line import partly
from .scores import MAX_SCORES, RunScores
from .slots import Admitted, Counting, Queued, Run, SlotDecision, occupies, rounded_position, run_of
from .snapshot import JobSnapshot, snapshot_in_status, snapshot_of

__all__ = [
    "DRY_RUN_LABEL",
    "HEADER_KEY",
    "ITEMS_KEY",
    "MAX_SCORES",
    "RESULTS_KEY",
    "TRUNCATED_KEY",
    "UNKNOWN",
    "Admitted",
    "BaselineFound",
    "BenchmarkUnusable",
    "Counting",
    "EvaluatorUnusable",
    "Facts",
    "GateFacts",
    "JobSnapshot",
    "Judged",
    "LookUp",
    "NewestJob",
    "NothingNew",
    "Queued",
    "RemoteGone",
    "RemoteUnclear",
    "ResolvedEvaluator",
    "Run",
    "RunScores",
    "SlotDecision",
    "Stored",
    "Unknown",
    "WaitForBaseline",
    "baseline_hash",
    "baseline_names",
    "choose_named",
    "config_map_names",
    "decide_job",
    "difference",
    "evaluator_of_record",
    "evidence_names",
    "gate_hash",
    "goes_on",
    "is_same_attempt",
    "label_value",
    "left_running",
    "new_verdict",
    "occupies",
    "partly",
    "pick_marked",
    "poll_seconds",
    "release_job_seconds",
    "rest_seconds",
    "results_document",
    "rounded_position",
    "run_of",
    "selector_text",
    "snapshot_in_status",
    "snapshot_of",
    "status_was_lost",
]
