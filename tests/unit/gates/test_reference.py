"""Intervals against SciPy and statsmodels, on random inputs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from nemo_eval_operator.gates.statistics import Moments, newcombe, t_interval, welch, wilson

CONFIDENCE = st.floats(0.5, 0.999)
SAMPLE = st.lists(st.floats(-1000, 1000), min_size=3, max_size=40).filter(lambda one: np.std(one) > 1e-3)


@given(st.integers(0, 1000), st.integers(0, 1000), CONFIDENCE)
def test_wilson(successes: int, failures: int, confidence: float) -> None:
    count = successes + failures + 1

    expected = proportion_confint(successes, count, alpha=1 - confidence, method="wilson")

    assert wilson(successes, count, confidence) == pytest.approx(expected, abs=1e-9)


@given(st.tuples(*[st.integers(1, 500)] * 4), CONFIDENCE)
def test_newcombe(counts: tuple[int, int, int, int], confidence: float) -> None:
    right_before, wrong_before, right_after, wrong_after = counts
    before, after = right_before + wrong_before, right_after + wrong_after

    expected = confint_proportions_2indep(
        right_after, after, right_before, before, method="newcomb", alpha=1 - confidence
    )

    found = newcombe((right_before, before), (right_after, after), confidence)
    assert found == pytest.approx(expected, abs=1e-9)


@given(SAMPLE, CONFIDENCE)
def test_student(values: list[float], confidence: float) -> None:
    expected = stats.t.interval(confidence, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))

    assert t_interval(Moments.of(values), confidence) == pytest.approx(expected, rel=1e-7, abs=1e-6)


@given(SAMPLE, SAMPLE, CONFIDENCE)
def test_welch(baseline: list[float], candidate: list[float], confidence: float) -> None:
    means = CompareMeans(DescrStatsW(candidate), DescrStatsW(baseline))

    expected = means.tconfint_diff(alpha=1 - confidence, usevar="unequal")

    found = welch(Moments.of(baseline), Moments.of(candidate), confidence)
    assert found == pytest.approx(expected, rel=1e-7, abs=1e-6)
