"""Evaluators that send numbers and archives made to break the gates that read them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from typing import cast
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from pydantic import JsonValue

from nemo_eval_operator.gates import archives, evidence_of, gate_of, judge, pack, samples_in, unpack
from nemo_eval_operator.json_types import JsonObject


def document(**stats: float) -> JsonObject:
    score: JsonObject = {"value": 1.0, "stats": dict(stats)}
    return {"tasks": {"t": {"metrics": {"m": {"scores": {"s": score}}}}}}


def gate(max_drop: float) -> JsonObject:
    return {
        "baseline": {"jobRef": {"name": "x"}},
        "criteria": [{"score": "s", "minimum": 0.5, "maxDrop": max_drop}],
    }


NUMBERS = {
    "a sum of bits above the count": {
        "count": 10,
        "sum": 100,
        "sum_squared": 100,
        "min": 0,
        "max": 1,
    },
    "a negative sum of bits": {"count": 10, "sum": -5, "sum_squared": -5, "min": 0, "max": 1},
    "a variance whose square is 0": {"count": 40, "sum": 0, "sum_squared": 1e-200},
    "a variance whose square is infinite": {"count": 40, "sum": 0, "sum_squared": 1e100},
    "counts beyond 64 bits": {
        "count": 1e99,
        "sum": 5,
        "sum_squared": 6,
        "nan_count": 1e99,
    },
    "ordinary numbers": {"count": 40, "sum": 20, "sum_squared": 30},
}


@pytest.mark.parametrize("max_drop", [0.1, 1e-150, 1e-200, 5e-324])
@pytest.mark.parametrize("stats", NUMBERS.values(), ids=NUMBERS)
def test_no_number_of_an_evaluator_or_a_gate_ends_the_judging(
    stats: dict[str, float], max_drop: float
) -> None:
    evidence = evidence_of(document(**stats))
    kept = unpack(pack(evidence))
    found = judge(gate_of(gate(max_drop)), kept, evidence).criteria[0]
    assert all(number is None or 0 <= number < 2**63 for number in (found.items, found.items_needed))


@pytest.mark.parametrize("minimum", [0.5, 5e-324, 1e-200, -1e15, 1e15])
@pytest.mark.parametrize("stats", NUMBERS.values(), ids=NUMBERS)
def test_no_number_ends_the_judging_of_a_bound(stats: dict[str, float], minimum: float) -> None:
    criterion: JsonObject = {"score": "s", "minimum": minimum, "by": "Confidence"}
    found = judge(gate_of({"criteria": [criterion]}), evidence_of(document(**stats)), None).criteria[0]
    assert found.items_needed is None or 0 < found.items_needed < 2**63


def test_a_margin_of_almost_nothing_between_equal_runs_asks_for_no_number_of_items() -> None:
    items: list[JsonValue] = [{"item": number, "scores": {"m": {"s": 1}}} for number in range(40)]
    run = document()
    cast("JsonObject", cast("JsonObject", run["tasks"])["t"])["data"] = {"samples": items}
    found = judge(gate_of(gate(5e-324)), evidence_of(run), evidence_of(run)).criteria[0]
    assert found.items_needed is None


def archive(files: Mapping[str, Iterable[object]]) -> bytes:
    written = io.BytesIO()
    with ZipFile(written, "w", ZIP_DEFLATED) as target:
        for name, lines in files.items():
            target.writestr(f"samples/{name}.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    return written.getvalue()


def sample(number: int, scores: int = 1) -> JsonObject:
    return {"item": number, "scores": {"m": {f"{number}-{name}": 0 for name in range(scores)}}}


def test_an_archive_of_very_many_scores_is_not_kept_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_VALUES", 100)
    assert samples_in(archive({"t": [sample(n, scores=20) for n in range(6)]}), lambda value: value) == {}
    found = samples_in(
        archive({"a": map(sample, range(40)), "b": map(sample, range(40))}), lambda value: value
    )
    assert set(found) == {"a"}


def test_a_task_whose_samples_all_have_other_scores_is_not_kept_in_memory() -> None:
    files = {"t": [sample(1, scores=archives.MAX_SCORES + 1)], "u": [sample(1, scores=archives.MAX_SCORES)]}
    assert set(samples_in(archive(files), lambda value: value)) == {"u"}


def test_a_file_of_more_lines_than_are_read_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_ITEMS", 10)
    read: list[object] = []
    many = archive({"t": [0] * 11, "u": map(sample, range(10))})

    def note(value: JsonValue) -> JsonValue:
        read.append(value)
        return value

    assert set(samples_in(many, note)) == {"u"}
    assert len(read) == 20


def test_a_sample_of_very_many_parts_is_not_parsed() -> None:
    line: list[JsonValue] = [[[]] * (archives.MAX_LINE_PARTS + 1)]
    assert samples_in(archive({"t": line}), lambda _: pytest.fail("it is parsed")) == {}
