"""Conditions for kubectl wait, Flux and Argo CD."""

from __future__ import annotations

from typing import Any

import pytest

from nemo_eval_operator.lifecycle.conditions import ConditionSet, Outcome, conditions_of, reason_of
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import Condition
from tests.unit.lifecycle.objects import NOW, condition_statuses


def conditions(standing: ConditionSet, reason: str) -> list[Condition]:
    return conditions_of(Outcome(standing, Reason(reason), "why"), previous=(), generation=1, now=NOW)


OWNED: dict[str, Any] = {"labels": {"helm.toolkit.fluxcd.io/name": "evals"}}


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        (ConditionSet.WORKING, {"Ready": "False", "Reconciling": "True"}),
        (ConditionSet.READY, {"Ready": "True"}),
        (ConditionSet.STALLED, {"Ready": "False", "Stalled": "True"}),
        (ConditionSet.COMPLETE, {"Ready": "True", "Complete": "True"}),
        (ConditionSet.FAILED, {"Ready": "False", "Stalled": "True", "Failed": "True"}),
        (ConditionSet.SUSPENDED, {"Suspended": "True"}),
    ],
)
def test_the_table_that_kubectl_flux_and_argo_understand(
    standing: ConditionSet, said: dict[str, str]
) -> None:
    assert condition_statuses(conditions(standing, "Running")) == said
    assert reason_of(conditions(standing, "Running")) == "Running"
    assert reason_of([]) is None
