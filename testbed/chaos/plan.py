"""What happens in one round, and when the operator dies in it. Seeded, so that a plan can be repeated."""

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from testbed.chaos.steps import JOBS_PATH, Step
from testbed.chaos.trap import MOMENT_NAMES, Coverage, Spot
from testbed.chaos.workload import KINDS, Kind
from testbed.faults import Fault, Rule

__all__ = ["SPOTS", "Disturbance", "Round", "plan_round", "rules_of"]

SPOTS: Final = tuple((step, moment) for step in Step for moment in MOMENT_NAMES)
_NAMED_SHARE: Final = 0.75  # of all kills; the others come at random moments
_PATIENCE_SECONDS: Final = 8.0  # with a spot that no request comes to
_JOBS_A_ROUND: Final = 3
_KINDS: Final = {kind.name: kind for kind in KINDS}
_LEADS_TO: Final = {
    Step.CANCELLING: "cancelled",
    Step.CANCEL: "deleted",
    Step.DELETE_REMOTE: "traceless",
    Step.EXPIRE: "brief",
}
"""The kind of job that brings a step about; every other step belongs to a quick one."""


class Disturbance(StrEnum):
    """What else breaks in a round."""

    NONE = "nothing else"
    EVALUATOR_FLAKY = "evaluator flaky"
    APISERVER_FLAKY = "API server flaky"
    BOTH_FLAKY = "both flaky"
    EVALUATOR_CUT = "evaluator cut off"
    APISERVER_CUT = "API server cut off"
    EVALUATOR_RESTART = "evaluator killed"
    APISERVER_RESTART = "API server killed"
    EVALUATOR_SUSPENDED = "evaluator suspended"


_WEIGHTS: Final = {
    Disturbance.NONE: 22,
    Disturbance.EVALUATOR_FLAKY: 22,
    Disturbance.APISERVER_FLAKY: 18,
    Disturbance.BOTH_FLAKY: 12,
    Disturbance.EVALUATOR_CUT: 8,
    Disturbance.APISERVER_CUT: 8,
    Disturbance.EVALUATOR_RESTART: 6,
    Disturbance.APISERVER_RESTART: 4,
    Disturbance.EVALUATOR_SUSPENDED: 6,
}


@dataclass(frozen=True)
class Round:
    """`kill_after` seconds, once the operator has made its first request and the disturbance is over."""

    kinds: tuple[Kind, ...]
    disturbance: Disturbance
    spot: Spot | None  # where the operator is killed; None: when `kill_after` is over
    kill_after: float
    cut_for: float
    down_for: float


def plan_round(dice: random.Random, coverage: Coverage, misses: Coverage) -> Round:
    """The next round. Of the spots, one of those that were hit least."""
    spot = None
    if dice.random() < _NAMED_SHARE:
        # A miss counts half: what is hard to hit is tried more often, within limits.
        tried = {spot: 2 * coverage[spot] + misses[spot] for spot in SPOTS}
        fewest = min(tried.values())
        spot = dice.choice([spot for spot in SPOTS if tried[spot] == fewest])
    leading = _KINDS[_LEADS_TO.get(spot[0], "quick") if spot else "quick"]
    return Round(
        kinds=(leading, *dice.choices(KINDS, k=_JOBS_A_ROUND - 1)),
        disturbance=dice.choices([*_WEIGHTS], weights=[*_WEIGHTS.values()])[0],
        spot=spot,
        kill_after=_PATIENCE_SECONDS if spot else dice.uniform(0.0, 4.0),
        cut_for=dice.uniform(0.5, 4.0),
        down_for=dice.uniform(0.0, 0.7),
    )


def rules_of(round_: Round) -> tuple[list[Rule], list[Rule]]:
    """The faults sprinkled before the evaluator, and those before the API server."""
    to_evaluator: list[Rule] = []
    to_apiserver: list[Rule] = []
    if round_.spot and round_.spot[0] is Step.LOOK_UP:
        to_evaluator += [Rule("POST", JOBS_PATH, Fault.DROP_AFTER, times=1)]
    if round_.disturbance in {Disturbance.EVALUATOR_FLAKY, Disturbance.BOTH_FLAKY}:
        to_evaluator += _FLAKY_EVALUATOR
    if round_.disturbance in {Disturbance.APISERVER_FLAKY, Disturbance.BOTH_FLAKY}:
        to_apiserver += _FLAKY_APISERVER
    return to_evaluator, to_apiserver


# A request must not arrive later than the operator presumes: delays are well below its settling time.
_FLAKY_EVALUATOR: Final = [
    Rule("POST", JOBS_PATH, Fault.DROP_BEFORE, probability=0.08),
    Rule("POST", JOBS_PATH, Fault.DROP_AFTER, probability=0.12),
    Rule("POST", JOBS_PATH, Fault.RESET_AFTER, probability=0.08),
    Rule("POST", JOBS_PATH, Fault.ERROR_AFTER, probability=0.08),
    Rule("POST", JOBS_PATH, Fault.GARBAGE, probability=0.08),
    Rule("POST", JOBS_PATH, Fault.SLOW, 5, probability=0.05),
    Rule("POST", JOBS_PATH, Fault.DELAY, 1, probability=0.1),
    Rule("POST", JOBS_PATH, Fault.BUSY, 1, probability=0.1),
    Rule("*", "*", Fault.DROP_BEFORE, probability=0.03),
    Rule("*", "*", Fault.RESET_AFTER, probability=0.03),
    Rule("*", "*", Fault.ERROR_BEFORE, probability=0.03),
    Rule("*", "*", Fault.ERROR_AFTER, 502, probability=0.03),
    Rule("*", "*", Fault.GARBAGE, probability=0.03),
    Rule("*", "*", Fault.DELAY, 0.5, probability=0.05),
]
_FLAKY_APISERVER: Final = [
    Rule("PATCH", "*", Fault.DROP_AFTER, probability=0.06),
    Rule("PATCH", "*", Fault.GARBAGE, probability=0.03),
    Rule("POST", "*", Fault.DROP_AFTER, probability=0.08),
    Rule("*", "*", Fault.RESET_BEFORE, probability=0.04),
    Rule("*", "*", Fault.ERROR_BEFORE, probability=0.03),
    Rule("*", "*", Fault.ERROR_AFTER, 504, probability=0.03),
    Rule("*", "*", Fault.BUSY, 1, probability=0.03),
    Rule("*", "*", Fault.DELAY, 0.5, probability=0.05),
]
