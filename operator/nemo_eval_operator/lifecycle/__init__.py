"""Pure decision functions: given the object, the facts and the time, return the next step and status.

No I/O, no clock and no randomness. The modules here are shared by all kinds; each kind has a package, and
`requests` composes what is sent to the evaluator.
"""

from .advice import Advice, cause_of, with_advice
from .commands import adopt_command, rerun_command
from .conditions import ConditionSet, Outcome, conditions_of, lasting_condition, reason_of
from .evaluator_errors import (
    CONFIG_RECHECK_SECONDS,
    LOOK_UP_HINT,
    BreakerAction,
    Meaning,
    Operation,
    Retry,
    meaning_of,
)
from .events import (
    Event,
    event_of_change,
    event_of_ignored_rerun,
    event_of_ignored_ttl,
    event_of_moved_config,
    event_of_new_verdict,
)
from .infrastructure import is_infrastructure
from .ownership import (
    FINALIZER,
    RERUN_ANNOTATION,
    OwnerMark,
    Ownership,
    attempt_carried,
    claim_of,
    claimed_evaluator,
    is_claimed,
    mark_of_attempt,
    mark_of_object,
    may_take_over,
    owned_by_gitops,
    owner_mark,
    owner_named,
    ownership_of,
    uid_carried,
    without_marks,
)
from .readable import read_benchmark, read_connection, read_job
from .rerun import rerun_value, rerun_wanted

__all__ = [
    "CONFIG_RECHECK_SECONDS",
    "FINALIZER",
    "LOOK_UP_HINT",
    "RERUN_ANNOTATION",
    "Advice",
    "BreakerAction",
    "ConditionSet",
    "Event",
    "Meaning",
    "Operation",
    "Outcome",
    "OwnerMark",
    "Ownership",
    "Retry",
    "adopt_command",
    "attempt_carried",
    "cause_of",
    "claim_of",
    "claimed_evaluator",
    "conditions_of",
    "event_of_change",
    "event_of_ignored_rerun",
    "event_of_ignored_ttl",
    "event_of_moved_config",
    "event_of_new_verdict",
    "is_claimed",
    "is_infrastructure",
    "lasting_condition",
    "mark_of_attempt",
    "mark_of_object",
    "may_take_over",
    "meaning_of",
    "owned_by_gitops",
    "owner_mark",
    "owner_named",
    "ownership_of",
    "read_benchmark",
    "read_connection",
    "read_job",
    "reason_of",
    "rerun_command",
    "rerun_value",
    "rerun_wanted",
    "uid_carried",
    "with_advice",
    "without_marks",
]
