"""Entries of NemoEvalJob."""

from __future__ import annotations

from typing import Final

from nemo_eval_operator.lifecycle.conditions import ConditionSet
from nemo_eval_operator.reasons import Reason

from .entries import ConditionEntry
from .shared import EVALUATOR_ENTRIES, SOURCE_ENTRIES, SPEC_ENTRIES

__all__ = ["JOB_ENTRIES"]

WORKING: Final = (ConditionSet.WORKING,)
STALLED: Final = (ConditionSet.STALLED,)
FAILED: Final = (ConditionSet.FAILED,)
COMPLETE: Final = (ConditionSet.COMPLETE,)

BEFORE: Final = (
    ConditionEntry(
        Reason.SUSPENDED,
        (ConditionSet.SUSPENDED,),
        "spec.suspend is true: nothing is submitted.",
        "Set spec.suspend to false to submit the job.",
    ),
    ConditionEntry(
        Reason.QUEUED,
        WORKING,
        "All slots of the evaluator are in use; the message has the position in the queue.",
        "",
    ),
    ConditionEntry(
        Reason.BENCHMARK_NOT_FOUND,
        WORKING,
        "The NemoBenchmark of spec.benchmarkRef does not exist.",
        "Create it in the job's namespace.",
    ),
    ConditionEntry(
        Reason.BENCHMARK_NOT_READY,
        WORKING,
        "The NemoBenchmark is not ready, or its config is being restored.",
        "Look at the conditions of the NemoBenchmark.",
    ),
    ConditionEntry(
        Reason.BENCHMARK_RECONCILING,
        WORKING,
        "The NemoBenchmark was created or changed a moment ago.",
        "",
    ),
    ConditionEntry(
        Reason.EVALUATOR_MISMATCH,
        STALLED,
        "spec.evaluatorRef names another evaluator than the one that has the benchmark's config.",
        "Create a NemoEvalJob without evaluatorRef, or with a benchmark of that evaluator.",
    ),
    ConditionEntry(
        Reason.RERUN,
        WORKING,
        "Another attempt starts, as the annotation evaluator.nemo.dev/rerun asks.",
        "",
    ),
    ConditionEntry(
        Reason.BACK_OFF,
        WORKING,
        "The last attempt failed for an external reason; the message says when the next is due.",
        "",
    ),
)

RUN: Final = (
    ConditionEntry(Reason.SUBMITTING, WORKING, "The job is being submitted to the evaluator.", ""),
    ConditionEntry(
        Reason.SUBMISSION_UNCERTAIN,
        WORKING,
        "A submission got no clear answer; the operator looks for its job before it submits again.",
        "",
    ),
    ConditionEntry(
        Reason.QUEUED_IN_EVALUATOR,
        WORKING,
        "The evaluator has accepted the job and has not started it.",
        "",
    ),
    ConditionEntry(Reason.RUNNING, WORKING, "The evaluator runs the job.", ""),
    ConditionEntry(
        Reason.REMOTE_STATUS_UNKNOWN,
        WORKING,
        "The evaluator answers, but not how the remote job stands; a condition of this name is set as well.",
        "Look at the remote job in the evaluator if it stays.",
    ),
    ConditionEntry(Reason.CANCELLING, WORKING, "Cancellation of the remote job was requested.", ""),
    ConditionEntry(
        Reason.CANCEL_REFUSED,
        WORKING,
        "The evaluator does not cancel the remote job; the operator keeps requesting it.",
        "Cancel the job in the evaluator if it stays.",
    ),
    ConditionEntry(
        Reason.RESULTS_UNAVAILABLE,
        WORKING,
        "The evaluation completed, and its results cannot be read or kept yet.",
        "",
    ),
    ConditionEntry(
        Reason.RESULTS_NOT_KEPT,
        STALLED,
        "The results could not be read or kept ten times; the operator keeps retrying.",
        "Correct what the message names, such as a quota of ConfigMaps.",
    ),
)

END: Final = (
    ConditionEntry(Reason.COMPLETED, COMPLETE, "The evaluation completed; status has its scores.", ""),
    ConditionEntry(
        Reason.DRY_RUN_COMPLETED,
        COMPLETE,
        "The dry run completed; its scores are not a result.",
        "",
    ),
    ConditionEntry(
        Reason.EVALUATION_FAILED,
        FAILED,
        "The remote job failed; the message is the evaluator's.",
        "Correct what the message says, and create another NemoEvalJob or request a rerun.",
    ),
    ConditionEntry(
        Reason.EVALUATOR_REJECTED,
        FAILED,
        "The evaluator refused the job.",
        "Correct the target in another NemoEvalJob, or the NemoBenchmark and request a rerun.",
    ),
    ConditionEntry(
        Reason.BACKOFF_LIMIT_EXCEEDED,
        FAILED,
        "The last of spec.backoffLimit retries failed for a reason outside the evaluation.",
        "Correct the infrastructure, then request a rerun.",
    ),
    ConditionEntry(
        Reason.DEADLINE_EXCEEDED,
        FAILED,
        "The job was cancelled after spec.activeDeadlineSeconds.",
        "Create another NemoEvalJob with a longer deadline.",
    ),
    ConditionEntry(
        Reason.EXTERNAL_JOB_LOST,
        FAILED,
        "The evaluator no longer has the remote job; it is not run again without a request.",
        "Request a rerun.",
    ),
    ConditionEntry(
        Reason.CANCELLED,
        FAILED,
        "The job was cancelled by spec.cancel or in the evaluator: there is no result.",
        "Create another NemoEvalJob to evaluate once more.",
    ),
)

GATE: Final = (
    ConditionEntry(
        Reason.GATE_PENDING,
        (ConditionSet.GATE_PENDING,),
        "The evaluation completed and is being judged by spec.gate.",
        "",
    ),
    ConditionEntry(
        Reason.WAITING_FOR_BASELINE,
        (ConditionSet.GATE_PENDING,),
        "The job that spec.gate.baseline.jobRef names has not ended.",
        "",
    ),
    ConditionEntry(
        Reason.GATE_PASSED,
        (ConditionSet.GATE_PASSED,),
        "The scores are within the rules of spec.gate.",
        "",
    ),
    ConditionEntry(
        Reason.GATE_FAILED,
        (ConditionSet.GATE_FAILED,),
        "A critical score is not within the rules of spec.gate; the message has the numbers.",
        "Do not use the model, or change spec.gate: the run is then judged again.",
    ),
    ConditionEntry(
        Reason.GATE_INCONCLUSIVE,
        (ConditionSet.GATE_INCONCLUSIVE, ConditionSet.GATE_LET_THROUGH),
        "The scores show neither that the rules of spec.gate hold nor that they do not: an interval reaches "
        "beyond what is allowed, or something is missing, which the message names. With "
        "onInconclusive: Pass the job is ready all the same.",
        "Evaluate more items, correct what is missing, or change spec.gate.",
    ),
)

JOB_ENTRIES: Final = (*BEFORE, *RUN, *END, *GATE, *SPEC_ENTRIES, *SOURCE_ENTRIES, *EVALUATOR_ENTRIES)
