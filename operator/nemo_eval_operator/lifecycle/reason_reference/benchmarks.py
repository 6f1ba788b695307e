"""Entries of NemoBenchmark."""

from __future__ import annotations

from typing import Final

from nemo_eval_operator.lifecycle.conditions import ConditionSet
from nemo_eval_operator.reasons import Reason

from .entries import ConditionEntry
from .shared import EVALUATOR_ENTRIES, SOURCE_ENTRIES, SPEC_ENTRIES

__all__ = ["BENCHMARK_ENTRIES"]

WORKING: Final = (ConditionSet.WORKING,)
STALLED: Final = (ConditionSet.STALLED,)

BENCHMARK_ENTRIES: Final = (
    ConditionEntry(
        Reason.CONFIG_READY,
        (ConditionSet.READY,),
        "The evaluator has the config; jobs can use it.",
        "",
    ),
    ConditionEntry(
        Reason.CONFIG_EXISTS,
        STALLED,
        "A config of this name belongs to another owner and is left unchanged.",
        "Choose another spec.config.name, or let this object take it over as the message says.",
    ),
    ConditionEntry(
        Reason.CONFIG_IN_USE,
        WORKING,
        "Running jobs use the config, so it is not deleted or changed yet.",
        "",
    ),
    ConditionEntry(
        Reason.EVALUATOR_REJECTED,
        STALLED,
        "The evaluator refused the config.",
        "Correct spec.config.",
    ),
    ConditionEntry(
        Reason.EVALUATOR_FAILING,
        WORKING,
        "The evaluator answers with errors, or not in time; the call is repeated.",
        "Look at the evaluator's log if it stays.",
    ),
    *SPEC_ENTRIES,
    *SOURCE_ENTRIES,
    *EVALUATOR_ENTRIES,
)
