"""Entries of events that are posted besides changes of conditions."""

from __future__ import annotations

from typing import Final

from nemo_eval_operator.reasons import Reason

from .entries import EventEntry

__all__ = ["EVENT_ENTRIES"]

JOB: Final = "NemoEvalJob"
BENCHMARK: Final = "NemoBenchmark"

EVENT_ENTRIES: Final = (
    EventEntry(
        Reason.CANCEL_UNSUPPORTED,
        (JOB,),
        "The evaluator cannot cancel jobs; the remote job was deleted instead.",
        "",
    ),
    EventEntry(
        Reason.DUPLICATE_CANCELLED,
        (JOB,),
        "A second remote job of the same attempt was found and cancelled.",
        "",
    ),
    EventEntry(
        Reason.DUPLICATES_RUNNING,
        (JOB,),
        "More remote jobs of the same attempt were found than could be cancelled at once.",
        "Cancel them in the evaluator as the message says.",
    ),
    EventEntry(
        Reason.EVALUATOR_CHANGED,
        (BENCHMARK,),
        "The config is kept in another evaluator now; the one in the former evaluator is left unchanged.",
        "Delete it there if it is not needed.",
    ),
    EventEntry(
        Reason.INVALID_SPEC,
        (JOB,),
        "The run has ended, and an edit made its spec unreadable; its status stays as it is.",
        "Correct the field that the message names.",
    ),
    EventEntry(
        Reason.LEFT_IN_EVALUATOR,
        (JOB, BENCHMARK),
        "The object is gone, and its remote job or config may remain in the evaluator.",
        "Cancel or delete it there.",
    ),
    EventEntry(
        Reason.OBJECT_TOO_LARGE,
        (JOB,),
        "The run has ended, and an edit made the object too large to be read; its status stays as it is.",
        "Make the object smaller.",
    ),
    EventEntry(
        Reason.PLAIN_TEXT_SECRET,
        (JOB, BENCHMARK),
        "The spec holds a credential in plain text.",
        "Move it into a Secret and refer to it in spec.valuesFrom.",
    ),
    EventEntry(
        Reason.RERUN_IGNORED,
        (JOB,),
        "A rerun was requested, but spec.cancel is true.",
        "Create another NemoEvalJob.",
    ),
    EventEntry(
        Reason.TTL_IGNORED,
        (JOB,),
        "spec.ttlSecondsAfterFinished has no effect: a GitOps tool owns the object and would recreate it.",
        "Remove the object in Git.",
    ),
    EventEntry(
        Reason.UNKNOWN_FIELD,
        (JOB, BENCHMARK),
        "Fields of the spec are not known; they are sent to the evaluator as they are.",
        "Correct the name if it is a typo.",
    ),
)
