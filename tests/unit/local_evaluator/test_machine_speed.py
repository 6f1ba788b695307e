"""No score depends on how fast the machine is, or on which sample is completed first."""

import hashlib
import json
import random
from collections.abc import AsyncIterator
from itertools import permutations
from pathlib import Path

import pytest
import yaml

from nemo_local_evaluator.evaluations.statistics import RunningStatistics
from nemo_local_evaluator.metrics.rouge import common_length
from tests.unit.local_evaluator.harness import (
    Evaluator,
    FakeModel,
    data_config,
    evaluator,
    rows_target,
    string_check,
)

LONG = Path(__file__).with_name("cases") / "rouge-long-8000"


@pytest.fixture
async def hurried(tmp_path: Path, model: FakeModel) -> AsyncIterator[Evaluator]:
    """A server whose templates have little time."""
    async with evaluator(tmp_path, model, step_seconds=0.5) as running:
        yield running


async def test_rouge_of_8000_words_is_computed(hurried: Evaluator) -> None:
    config = yaml.safe_load((LONG / "config.yaml").read_text())
    target = json.loads((LONG / "target.json").read_text())
    job = await hurried.run(config, target)
    assert job["status"] == "completed", job["status_details"]
    task = (await hurried.get(f"jobs/{job['id']}/results"))["tasks"]["t"]
    assert task["metrics"]["r"]["scores"]["rouge_L_score"]["stats"]["count"] == len(target["rows"])
    scores = task["data"]["samples"][0]["scores"]["r"]
    # By a table of 8,000 x 8,000 cells: 744 words.
    assert scores["rouge_L_score"] == pytest.approx(744 / 8000)
    assert scores["rouge_1_score"] == pytest.approx(0.88125)


async def test_rouge_of_too_many_words_costs_its_sample_whatever_the_machine(hurried: Evaluator) -> None:
    metric = {"type": "rouge", "params": {"references": ["a"], "prediction": "{{item.x}}"}}
    job = await hurried.run(data_config(metric), rows_target({"x": "a " * 50_001}, {"x": "a"}))
    (first, _) = (await hurried.get(f"jobs/{job['id']}/results"))["tasks"]["qa"]["data"]["samples"]
    assert "at most 50,000 words" in first["error"]


def by_table(one: list[str], other: list[str]) -> int:
    row = [0] * (len(one) + 1)
    for word in other:
        before = row
        row = [0]
        for index, candidate in enumerate(one):
            row.append(before[index] + 1 if candidate == word else max(row[index], before[index + 1]))
    return row[-1]


def test_the_longest_common_subsequence_is_that_of_the_table() -> None:
    choose = random.Random(7)  # noqa: S311 - the same texts each time
    for _ in range(300):
        one, other = ([choose.choice("abcde") for _ in range(choose.randint(0, 40))] for _ in range(2))
        assert common_length(one, other) == by_table(one, other)


def test_statistics_do_not_depend_on_the_order_of_completion() -> None:
    values = (0.1, 0.2, 0.3, 1e16, -7.7, 1e-9)

    def score(order: tuple[float, ...]) -> str:
        statistics = RunningStatistics()
        for value in order:
            statistics.add(value)
        return json.dumps(statistics.score(nan_count=0))

    assert len({score(order) for order in permutations(values)}) == 1
    assert json.loads(score((0.1,) * 10))["stats"]["variance"] == 0
    assert json.loads(score((2.0, 4.0)))["stats"] == {
        "count": 2,
        "sum": 6.0,
        "sum_squared": 20.0,
        "mean": 3.0,
        "min": 2.0,
        "max": 4.0,
        "variance": 1.0,
        "stddev": 1.0,
        "stderr": pytest.approx(0.7071067811865475),
        "nan_count": 0,
    }


async def test_each_sample_says_which_row_it_is_of(hurried: Evaluator) -> None:
    rows = [{"b": "caf\u00e9", "a": 1}, {"a": 2, "b": ""}]
    job = await hurried.run(data_config(string_check("a", "equals", "a")), rows_target(*rows))
    samples = (await hurried.get(f"jobs/{job['id']}/results"))["tasks"]["qa"]["data"]["samples"]
    canonical = ['{"a":1,"b":"caf\u00e9"}', '{"a":2,"b":""}']
    expected = [(index, hashlib.sha256(text.encode()).hexdigest()) for index, text in enumerate(canonical)]
    assert [(sample["index"], sample["item_id"]) for sample in samples] == expected
    file = hurried.data / "jobs" / job["id"] / "samples" / "qa.jsonl"
    assert [json.loads(line) for line in file.read_text().splitlines()] == samples
