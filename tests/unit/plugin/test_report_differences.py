"""What a report says of runs that differ in config or target, and its verdict in a sentence."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.gates.documents import NAME
from tests.unit.plugin.cluster_api import ClusterApi
from tests.unit.plugin.conftest import Run
from tests.unit.plugin.reported import CONFIG, CRITERION, answers, gate_status, put_run
from tests.unit.plugin.test_report import AFTER, BEFORE, GATE, HOSTILE, Page, in_json, written
from tests.unit.plugin.test_results import with_bleu

OTHER_CONFIG = '{"params":{"temperature":0},"type":"custom"}'
FIELDS = ["config.params.limit_samples: 50 | not set", "config.params.temperature: not set | 0"]


def targets(api: ClusterApi, name: str, **model: Any) -> None:
    endpoint = {"url": "http://model.test/v1", "model_id": "m", "api_key": f"key-of-{name}"}
    target = {"type": "model", "model": {"api_endpoint": endpoint, **model}}
    api.objects["nemoevaljobs", "team-a", name]["spec"] |= {"target": target, "model": None}


def differs(api: ClusterApi, *, with_baseline: bool = True) -> None:
    """Put a run whose gate could not compare it with `old`, as the operator writes its status."""
    old = put_run(api, "old", answers(BEFORE))
    status = gate_status("old", old)
    message = "BenchmarkDiffers: the baseline old and this run measured different configs: and so on"
    gate = status["gate"]
    del gate["baseline"]["configMap"], gate["baseline"]["digest"]
    criterion = CRITERION | {"result": "Inconclusive", "reason": "BenchmarkDiffers", "message": message}
    gate |= {"verdict": "Inconclusive", "criteria": [criterion]}
    status["message"] = f"the gate is inconclusive: {NAME}: {message} (baseline old, attempt 1)"
    put_run(api, "new", answers(AFTER), status=status, gate=GATE, config=OTHER_CONFIG)
    if not with_baseline:
        del api.objects["nemoevaljobs", "team-a", "old"]


def fields_of(comparison: dict[str, Any]) -> list[str]:
    return [
        f"{one['document']}.{one['path']}: {one['baseline']} | {one['candidate']}"
        for one in comparison["differences"]
    ]


def test_a_run_whose_baseline_measured_another_config_says_why_it_is_not_compared(
    api: ClusterApi, run: Run, tmp_path: Path
) -> None:
    differs(api)
    (compared,) = in_json(run, tmp_path, "new")["comparisons"]
    assert (compared["baseline"], compared["candidate"], compared["changes"]) == ("old", "new", [])
    assert compared["note"] == "old and new measured different configs"
    assert fields_of(compared) == FIELDS

    page = Page(written(run, tmp_path / "report.html", "new")).text
    assert "Not compared: old and new measured different configs" in page
    assert "What differs" in page
    assert page.count("BenchmarkDiffers: the baseline old") == 1, "the gate's message stands once"
    text = written(run, tmp_path / "report.md", "new")
    assert "> Not compared: old and new measured different configs" in text
    assert "| `config.params.temperature` | `not set` | `0` |" in text


def test_a_baseline_that_was_deleted_leaves_the_message_of_the_gate(
    api: ClusterApi, run: Run, tmp_path: Path
) -> None:
    differs(api, with_baseline=False)
    (compared,) = in_json(run, tmp_path, "new")["comparisons"]
    assert compared["note"].startswith("old and new measured different configs: their status.benchmark.hash")
    assert compared["differences"] == []


def test_a_config_that_was_not_recorded_is_not_compared(api: ClusterApi, run: Run, tmp_path: Path) -> None:
    differs(api)
    for name in ("old", "new"):
        del api.objects["nemoevaljobs", "team-a", name]["status"]["benchmark"]
    del api.objects["nemoevaljobs", "team-a", "new"]["status"]["gate"]["baseline"]["benchmarkHash"]
    (compared,) = in_json(run, tmp_path, "new")["comparisons"]
    assert (compared["note"][:16], compared["changes"]) == ("BenchmarkDiffers", [])


def test_targets_that_differ_are_shown_for_runs_that_are_compared(
    api: ClusterApi, run: Run, tmp_path: Path
) -> None:
    put_run(api, "old", answers(BEFORE))
    put_run(api, "new", answers(AFTER))
    targets(api, "old")
    targets(api, "new", prompt={"inference_params": {"stop": [" "]}})
    (compared,) = in_json(run, tmp_path, "old", "new")["comparisons"]
    assert len(compared["changes"]) == 1
    assert compared["note"] == ""
    (field,) = fields_of(compared)
    assert field == 'target.model.prompt.inference_params.stop: not set | [" "]'
    for ending in ("html", "md"):
        text = written(run, tmp_path / f"report.{ending}", "old", "new")
        assert "What differs" in text
        assert "target.model.prompt" in text
        assert "key-of" not in text


def test_runs_of_equal_configs_and_targets_have_nothing_that_differs(
    api: ClusterApi, run: Run, tmp_path: Path
) -> None:
    put_run(api, "old", answers(BEFORE))
    put_run(api, "new", answers(AFTER))
    assert "What differs" not in written(run, tmp_path / "report.html", "old", "new")
    assert "What differs" not in written(run, tmp_path / "report.md", "old", "new")


def test_a_config_that_was_replaced_is_not_quoted(api: ClusterApi, run: Run, tmp_path: Path) -> None:
    put_run(api, "old", answers(BEFORE))
    put_run(api, "new", answers(AFTER), config=OTHER_CONFIG)
    api.config_maps["team-a", "new-results"]["data"]["config.json"] = CONFIG
    (compared,) = in_json(run, tmp_path, "old", "new")["comparisons"]
    assert compared["differences"] == []


@pytest.mark.parametrize("ending", [".html", ".md", ".json"])
def test_fields_of_a_hostile_target_are_escaped_and_cut(
    api: ClusterApi, run: Run, tmp_path: Path, ending: str
) -> None:
    put_run(api, "old", answers(BEFORE))
    put_run(api, "new", answers(AFTER), config=json.dumps({HOSTILE: [HOSTILE * 50]}))
    text = written(run, tmp_path / f"report{ending}", "old", "new")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    if ending == ".html":
        assert not {"script", "img"} & {*Page(text).tags}
    if ending == ".md":
        rows = [line for line in text.splitlines() if line.startswith("| ") and "alert" in line]
        assert rows
        assert {line.count("|") for line in rows} == {4}
        assert "<script" not in text


def test_the_verdict_is_a_sentence_at_the_top(api: ClusterApi, run: Run, tmp_path: Path) -> None:
    old = put_run(api, "old", answers(BEFORE))
    put_run(api, "new", answers(AFTER), status=gate_status("old", old), gate=GATE)
    summary = (
        "new: gate failed (1 of 1 criterion failed). Scores compared with old: 1 with no difference shown."
    )
    assert in_json(run, tmp_path, "new")["summary"] == summary
    page = Page(written(run, tmp_path / "report.html", "new")).text
    assert page.index(summary) < page.index("Summary")
    assert written(run, tmp_path / "report.md", "new").splitlines()[2] == f"**{summary}**"
    several = in_json(run, tmp_path, "old", "new", "old")["summary"]
    assert several.startswith("old: succeeded. new: gate failed")


def test_a_comparison_has_verdicts_in_plain_words(api: ClusterApi, run: Run, tmp_path: Path) -> None:
    put_run(api, "old", answers([1.0] * 50))
    put_run(api, "new", answers([0.0] * 50))
    page = Page(written(run, tmp_path / "report.html", "old", "new"))
    assert ("class", "word bad") in page.attributes
    assert "Paired" not in page.text
    (row,) = [
        line
        for line in written(run, tmp_path / "report.md", "old", "new").splitlines()
        if line.startswith(f"| `{NAME}` | 1 → 0")
    ]
    assert "| worse |" in row


def test_what_a_comparison_lacks_is_said_once_for_all_scores(
    api: ClusterApi, run: Run, tmp_path: Path
) -> None:
    put_run(api, "old", with_bleu(BEFORE[30:]))
    put_run(api, "new", with_bleu(AFTER[30:]))
    remark = "20 items are too few for an interval: 30 are enough (spec.gate.minimumItems)"
    page = Page(written(run, tmp_path / "report.html", "old", "new"))
    assert page.text.count(f"qa/bleu/sentence: {remark}") == page.text.count("too few") == 1
    text = written(run, tmp_path / "report.md", "old", "new")
    assert f"\n`qa/bleu/sentence`: {remark}\n" in text


def test_changes_have_the_decimals_of_their_values(api: ClusterApi, run: Run, tmp_path: Path) -> None:
    put_run(api, "old", answers([31.0, 33.0] * 20))
    put_run(api, "new", answers([32.0, 34.0] * 20))
    text = written(run, tmp_path / "report.md", "old", "new")
    assert "| 32 → 33 | +1.00 |" in text


def test_times_are_shown_in_a_history_of_one_day(api: ClusterApi, run: Run, tmp_path: Path) -> None:
    for name, hour in (("old", 7), ("new", 9)):
        put_run(api, name, answers(BEFORE), status={"completionTime": f"2026-03-01T{hour:02}:00:00Z"})
    page = Page(written(run, tmp_path / "report.html", "new")).text
    assert "2026-03-01 07:00:00Z" in page
    assert "2026-03-01 09:00:00Z" in page


@pytest.mark.parametrize(
    ("scores", "shown"), [(AFTER, ["12", "38"]), ([0.1, 0.2, 0.3] * 9, ["highest bar: 9"])]
)
def test_distributions_show_counts(
    api: ClusterApi, run: Run, tmp_path: Path, scores: list[float], shown: list[str]
) -> None:
    put_run(api, "new", answers(scores))
    panel = written(run, tmp_path / "report.html", "new").partition('<div class="panel">')[2]
    for text in shown:
        assert f">{text}</" in panel
