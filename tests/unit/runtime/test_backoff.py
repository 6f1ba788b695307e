"""How long those who failed wait."""

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from nemo_eval_operator.runtime.backoff import RestartPauses, pause_after, pauses, spread


def test_pauses_double_until_the_longest() -> None:
    for pause, ceiling in zip(pauses(first=1, longest=30), (1, 2, 4, 8, 16, 30, 30), strict=False):
        assert ceiling / 2 <= pause <= ceiling


def test_two_who_failed_together_do_not_come_back_together() -> None:
    assert list(islice(pauses(first=1, longest=30), 5)) != list(islice(pauses(first=1, longest=30), 5))


@given(failures=st.integers(1, 1_000_000), longest=st.floats(1, 600))
def test_no_pause_is_longer_than_the_longest(failures: int, longest: float) -> None:
    assert 0.5 <= pause_after(failures, first=1, longest=longest) <= longest


def test_a_failure_after_a_long_run_counts_as_the_first_again() -> None:
    restarts = RestartPauses(first=8, longest=64, proven=60)
    for ran, ceiling in ((1, 8), (1, 16), (59, 32), (60, 8), (1, 16)):
        assert ceiling / 2 <= restarts.after(ran) <= ceiling


@given(seconds=st.floats(0, 1e6))
def test_what_is_spread_stays_within_a_tenth(seconds: float) -> None:
    assert seconds * 0.9 <= spread(seconds) <= seconds * 1.1 + 1e-9
