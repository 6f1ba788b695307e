"""The table of `nemo-eval-operator results`."""

from __future__ import annotations

from nemo_eval_operator.results_view import results_lines
from tests.unit.lifecycle.objects import evaljob


def test_table_says_on_how_many_rows_a_value_stands() -> None:
    score = {
        "task": "qa",
        "metric": "num",
        "score": "num",
        "value": 1,
        "count": 1,
        "nanCount": 3,
        "stderr": 0.25,
    }
    heading, row = results_lines(evaljob(status={"scores": [score]}), "{}", samples=0)
    assert heading.split() == ["TASK", "METRIC", "SCORE", "VALUE", "COUNT", "STDERR", "NAN"]
    assert "1 of 4" in row
    assert row.split()[-2:] == ["0.25", "3"]
