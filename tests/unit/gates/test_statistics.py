"""Intervals, against vectors that SciPy and statsmodels gave, and by their laws on random inputs."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_eval_operator.gates.statistics import (
    Moments,
    newcombe,
    paired_items_needed,
    t_interval,
    tango,
    unchanged_items_needed,
    welch,
    wilson,
)

BASELINE = [0.31, 0.62, 0.55, 0.91, 0.12, 0.78, 0.66, 0.43, 0.87, 0.29, 0.50, 0.74]
CANDIDATE = [0.35, 0.58, 0.49, 0.95, 0.10, 0.70, 0.69, 0.40, 0.80, 0.31, 0.47, 0.71]


@pytest.mark.parametrize(
    ("only_baseline", "only_candidate", "count", "expected"),
    [
        (14, 6, 200, (-0.088532, 0.004179)),
        (60, 10, 1000, (-0.067429, -0.034744)),
        (4, 5, 1000, (-0.005848, 0.008136)),
        (9, 1, 60, (-0.248256, -0.037310)),
        (0, 0, 10, (-0.277533, 0.277533)),
        (0, 0, 200, (-0.018845, 0.018845)),
        (12, 0, 12, (-1.0, -0.515012)),
    ],
)
def test_tango(only_baseline: int, only_candidate: int, count: int, expected: tuple[float, float]) -> None:
    assert tango(only_baseline, only_candidate, count, 0.95) == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize(
    ("successes", "count", "expected"),
    [
        (20, 24, (0.641469, 0.933213)),
        (0, 10, (0, 0.277533)),
        (10, 10, (0.722467, 1)),
        (712, 1319, (0.512828, 0.566546)),
    ],
)
def test_wilson(successes: int, count: int, expected: tuple[float, float]) -> None:
    assert wilson(successes, count, 0.95) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("baseline", "candidate", "expected"),
    [
        ((144, 200), (136, 200), (-0.12877, 0.049636)),
        ((712, 1319), (655, 1319), (-0.08117, -0.005082)),
        ((20, 24), (15, 24), (-0.43001, 0.043685)),
    ],
)
def test_newcombe(
    baseline: tuple[int, int], candidate: tuple[int, int], expected: tuple[float, float]
) -> None:
    assert newcombe(baseline, candidate, 0.95) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("factor", "confidence", "expected"),
    [
        (1.0, 0.95, (-0.046049, 0.007716)),
        (1.0, 0.90, (-0.041101, 0.002768)),
        (0.95, 0.95, (-0.016918, 0.035085)),
    ],
)
def test_paired_t(factor: float, confidence: float, expected: tuple[float, float]) -> None:
    differences = [after - factor * before for before, after in zip(BASELINE, CANDIDATE, strict=True)]

    assert t_interval(Moments.of(differences), confidence) == pytest.approx(expected, abs=2e-6)


def test_welch() -> None:
    baseline, candidate = Moments.from_sums(24, 104.1, 612.9), Moments.from_sums(30, 118.5, 701.25)

    assert welch(baseline, candidate, 0.95) == pytest.approx((-1.890517, 1.115517), abs=2e-6)


@pytest.mark.parametrize(
    ("degrees", "quantile"), [(1, 12.706205), (2, 4.302653), (29, 2.045230), (1e6, 1.959966)]
)
def test_the_quantile_of_student(degrees: int, quantile: float) -> None:
    """Tables of Student's distribution, 0.975."""
    count = int(degrees) + 1

    assert t_interval(Moments(count, 0.0, count), 0.95).high == pytest.approx(quantile, abs=2e-6)


@pytest.mark.parametrize(("margin", "items"), [(0.05, 311), (0.02, 1941)])
def test_items_needed(margin: float, items: int) -> None:
    assert paired_items_needed(0.098894, margin, 0.95) == items


def test_without_a_variance_nothing_is_said_about_the_items_needed() -> None:
    assert paired_items_needed(math.nan, 0.05, 0.95) is None
    assert paired_items_needed(0.1, 0.0, 0.95) is None


@pytest.mark.parametrize("margin", [0.02, 0.05, 0.3])
def test_without_flips_the_items_needed_are_just_enough(margin: float) -> None:
    needed = unchanged_items_needed(margin, 0.95)

    assert needed is not None
    assert tango(0, 0, needed, 0.95).low >= -margin > tango(0, 0, needed - 1, 0.95).low


@st.composite
def flips(draw: st.DrawFn) -> tuple[int, int, int]:
    count = draw(st.integers(1, 3000))
    only_baseline = draw(st.integers(0, count))
    return only_baseline, draw(st.integers(0, count - only_baseline)), count


@given(flips(), st.floats(0.5, 0.999))
def test_tango_holds_the_difference_and_is_symmetric(
    flipped: tuple[int, int, int], confidence: float
) -> None:
    only_baseline, only_candidate, count = flipped

    low, high = tango(only_baseline, only_candidate, count, confidence)

    assert -1 <= low <= (only_candidate - only_baseline) / count <= high <= 1
    mirrored = tango(only_candidate, only_baseline, count, confidence)
    assert (low, high) == pytest.approx((-mirrored.high, -mirrored.low), abs=1e-9)


@given(st.integers(0, 500), st.integers(1, 500), st.floats(0.5, 0.999))
def test_wilson_stays_between_0_and_1_and_narrows_with_items(
    successes: int, more: int, confidence: float
) -> None:
    low, high = wilson(successes, successes + more, confidence)
    narrower = wilson(successes * 4, (successes + more) * 4, confidence)

    assert 0 <= low <= successes / (successes + more) <= high <= 1
    assert narrower.high - narrower.low < high - low


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50))
def test_sums_give_the_same_moments_as_values(values: list[float]) -> None:
    exact = Moments.of(values)

    summed = Moments.from_sums(len(values), math.fsum(values), math.fsum(value * value for value in values))

    assert summed.mean == pytest.approx(exact.mean, rel=1e-9, abs=1e-9)
    scale = max(1.0, *(value * value for value in values))
    assert summed.variance == pytest.approx(exact.variance, rel=1e-6, abs=1e-9 * scale)
