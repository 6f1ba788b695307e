"""How often verdicts are right, with a fixed seed and fewer repetitions than `bench.gate_simulation`."""

from __future__ import annotations

import pytest

from bench.gate_simulation import FLIP_RATES, cases, coverage_of, decisions
from nemo_eval_operator.gates import Result

RUNS = 200
SEED = 1


def test_two_equal_runs_are_failed_in_at_most_a_fortieth() -> None:
    found = decisions(items=2000, flips=(0.05, 0.05), margin=0.02, runs=RUNS, seed=SEED)

    assert found[Result.FAILED] <= 0.025
    assert found[Result.PASSED] >= 0.7


def test_a_true_drop_of_three_margins_passes_in_at_most_a_fortieth() -> None:
    found = decisions(items=2000, flips=(0.08, 0.02), margin=0.02, runs=RUNS, seed=SEED)

    assert found[Result.PASSED] <= 0.025
    assert found[Result.FAILED] >= 0.9


@pytest.mark.parametrize("rates", FLIP_RATES, ids=str)
def test_tango_covers_what_it_says(rates: tuple[float, float]) -> None:
    """Of 2,000 intervals 95% miss at most 5%; of 400, chance alone makes that 2.5 points more or less."""
    situation = f"{rates[0]:.1%} / {rates[1]:.1%}"
    cells = [case for case in cases() if case.situation == situation and case.items <= 100]

    shares = [coverage_of(case, runs=400, seed=SEED) for case in cells]

    assert len(shares) == 3
    assert min(shares) >= 0.925
