"""`kubectl nemoeval results`, `rows` and `compare`, on runs whose results the operator keeps."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
import yaml

from tests.unit.gates.documents import NAME, stats
from tests.unit.plugin.cluster_api import ClusterApi
from tests.unit.plugin.conftest import Run
from tests.unit.plugin.reported import CRITERION, answers, put_run

BEFORE = [1.0] * 40 + [0.0] * 10
AFTER = [0.0] * 5 + [1.0] * 38 + [0.0] * 7
HOSTILE = "\x1b[2J [bold]fake[/] \x9b1m \u202e end"
CONTROLS = {"\x1b", "\x9b", "\u202e"}


@pytest.fixture
def runs(api: ClusterApi) -> ClusterApi:
    gate = {"verdict": "Failed", "hash": "h", "criteria": [CRITERION]}
    put_run(api, "old", answers(BEFORE))
    put_run(api, "new", answers(AFTER, input="6 x 7?", reference="42", output="41"), status={"gate": gate})
    return api


@pytest.mark.usefixtures("runs")
def test_results_have_scores_with_intervals_and_the_verdict(run: Run) -> None:
    code, out, err = run("results", "new")
    assert (code, err) == (0, "")
    heading, row, *rest = out.splitlines()
    assert heading.split() == ["SCORE", "VALUE", "95%", "INTERVAL", "ITEMS", "WITHOUT", "SCORE"]
    assert row.split() == [NAME, "0.76", "0.6259", "to", "0.857", "50"]
    assert "Gate: Failed" in rest
    assert f"  Failed  {NAME} (Critical): 0.6 is below the minimum 0.7" in rest


def test_results_of_a_limited_run_and_of_a_dry_run_say_so(api: ClusterApi, run: Run) -> None:
    put_run(api, "few", answers(BEFORE), limitSamples=3)
    put_run(api, "trial", answers(BEFORE), dryRun=True)
    assert run("results", "few")[1].startswith("Limited to 3 samples of each task\n")
    assert run("results", "trial")[1].startswith("Dry run of one sample of each task")


@pytest.mark.usefixtures("runs")
def test_programs_read_the_verdict_of_the_gate_with_the_scores(run: Run) -> None:
    found = json.loads(run("results", "new", "-o", "json")[1])
    assert (found["name"], found["verdict"], found["outcome"]) == ("new", "Failed", "succeeded")
    assert found["criteria"][0]["message"] == "0.6 is below the minimum 0.7"
    (score,) = found["scores"]
    assert (score["name"], score["value"], score["items"]) == (NAME, 0.76, 50)
    assert yaml.safe_load(run("results", "new", "-o", "yaml")[1]) == found
    (row,) = csv.DictReader(io.StringIO(run("results", "new", "-o", "csv")[1]))
    assert (row["name"], row["value"]) == (NAME, "0.76")


@pytest.mark.usefixtures("runs")
def test_without_the_right_to_read_config_maps_scores_of_status_are_shown(api: ClusterApi, run: Run) -> None:
    api.forbidden.add("configmaps")
    code, out, err = run("results", "new")
    assert code == 0
    assert out.splitlines()[1].split() == [NAME, "0.76"]
    assert "jane may not get configmaps in namespace team-a: ask for a Role" in err
    code, _, err = run("rows", "new")
    assert code == 4
    assert "jane may not get configmaps" in err
    assert err.count("\n") == 1


def with_bleu(scores: list[float], bleu: list[float] | None = None) -> Any:
    """Return results in which each item has a BLEU of 0 to 100 besides its score of 0 to 1.

    By default it changes with the score, and by less of its range.
    """
    results: Any = answers(scores)
    task = results["tasks"]["qa"]
    bleu = bleu or [40.0 + 20.0 * score for score in scores]
    task["metrics"]["bleu"] = {"scores": {"sentence": {"value": sum(bleu) / len(bleu), "stats": stats(bleu)}}}
    for sample, value in zip(task["data"]["samples"], bleu, strict=True):
        sample["scores"]["bleu"] = {"sentence": value}
    return results


def test_each_item_is_shown_by_the_score_that_changed_most_of_its_range(api: ClusterApi, run: Run) -> None:
    before, after = with_bleu(BEFORE), with_bleu(AFTER)
    one = after["tasks"]["qa"]["data"]["samples"][20]
    one["scores"]["bleu"] = {"sentence": 20.0}
    put_run(api, "old", before)
    put_run(api, "new", after)
    flips = [line for line in run("compare", "old", "new", "--flips", "10")[1].splitlines() if " -> " in line]
    assert flips == [
        *[f"- {NAME}  1 -> 0"] * 5,
        "- qa/bleu/sentence  60 -> 20",
        *[f"+ {NAME}  0 -> 1"] * 3,
    ]


def test_what_stands_in_the_way_of_a_verdict_is_said_once(api: ClusterApi, run: Run) -> None:
    put_run(api, "old", with_bleu(BEFORE[30:]))
    put_run(api, "new", with_bleu(AFTER[30:]))
    out = run("compare", "old", "new")[1]
    enough = "30 are enough (spec.gate.minimumItems)"
    assert f"\nqa/bleu/sentence: 20 items are too few for an interval: {enough}\n" in out
    assert out.count("too few") == 1


@pytest.mark.usefixtures("runs")
def test_rows_show_the_worst_items_with_input_output_and_reference(run: Run) -> None:
    code, out, _ = run("rows", "new", "--worst", "3")
    assert code == 0
    assert out.splitlines()[0] == f"3 worst by {NAME}; 9 more items have the score 0"
    assert out.count("  score 0\n") == 3
    everything = json.loads(run("rows", "new", "--worst", "50", "-o", "json")[1])
    assert len(everything) == AFTER.count(0.0)
    assert {"input": "6 x 7?", "reference": "42", "output": "41", "score": 0.0}.items() <= next(
        one for one in everything if one["reference"] == "42"
    ).items()
    out = run("rows", "new", "--worst", "50")[1]
    assert "\n  input            6 x 7?\n  output           41\n  reference        42\n" in out
    code, out, err = run("rows", "new", "-o", "csv")
    assert len(list(csv.DictReader(io.StringIO(out)))) == 5
    assert err == "7 more items have the score 0\n"


def test_rows_of_a_run_in_which_all_items_are_perfect_or_all_failed(api: ClusterApi, run: Run) -> None:
    put_run(api, "good", answers([1.0] * 9))
    put_run(api, "bad", answers([0.0] * 9))
    assert run("rows", "good")[1] == f"All items have the same score by {NAME}\n"
    assert run("rows", "bad")[1].startswith(f"5 worst by {NAME}; 4 more items have the score 0\n")


@pytest.mark.usefixtures("runs")
def test_a_comparison_has_values_change_interval_verdict_bar_and_flips(run: Run) -> None:
    code, out, err = run("compare", "old", "new", "--flips", "2")
    assert (code, err) == (0, "")
    first, second, _, heading, row, *rest = out.splitlines()
    assert (first, second) == ("baseline   old", "candidate  new")
    # The first item has another text in the two runs, so that 49 are compared.
    assert heading.split() == ["SCORE", "BASELINE", "CANDIDATE", "CHANGE", "95%", "INTERVAL", "VERDICT"]
    assert row.split()[:4] == [NAME, "0.7959", "0.7755", "-0.0204"]
    assert row.rstrip().endswith("no difference shown")
    (bar,) = [line for line in rest if " equal " in line]
    assert "3 better   4 worse  42 equal" in bar
    assert "Items that became better" in out.partition("Items that became worse")[2]
    assert rest.count(f"- {NAME}  1 -> 0") == rest.count(f"+ {NAME}  0 -> 1") == 2
    assert "2 more became worse" in rest
    assert "1 more became better" in rest


@pytest.mark.usefixtures("runs")
def test_programs_read_changes_and_flips(run: Run) -> None:
    found = json.loads(run("compare", "old", "new", "--flips", "2", "-o", "json")[1])
    assert (found["baseline"], found["candidate"], found["confidence"]) == ("old", "new", 0.95)
    assert [(one["score"], one["verdict"]) for one in found["changes"]] == [(NAME, "no difference shown")]
    for direction, values, more in (("becameWorse", (1, 0), 2), ("becameBetter", (0, 1), 1)):
        flips = found[direction]
        assert [(one["baseline"], one["candidate"]) for one in flips["flips"]] == [values] * 2
        assert flips["leftOut"] == more
    assert yaml.safe_load(run("compare", "old", "new", "--flips", "2", "-o", "yaml")[1]) == found
    (row,) = csv.DictReader(io.StringIO(run("compare", "old", "new", "-o", "csv")[1]))
    assert (row["score"], row["better"], row["worse"], row["equal"]) == (NAME, "3", "4", "42")


def test_a_clear_change_is_named(api: ClusterApi, run: Run) -> None:
    put_run(api, "old", answers([1.0] * 50))
    put_run(api, "new", answers([0.0] * 50))
    assert run("compare", "old", "new", "--flips", "0")[1].splitlines()[4].rstrip().endswith("worse")
    assert run("compare", "new", "old", "--flips", "0")[1].splitlines()[4].rstrip().endswith("better")
    for names in (("old", "new"), ("new", "old")):
        assert "became" not in run("compare", *names, "--flips", "0")[1]


def test_a_score_of_the_whole_run_has_no_items_that_changed(api: ClusterApi, run: Run) -> None:
    for name, scores in (("old", BEFORE), ("new", AFTER)):
        results: Any = answers(scores)
        corpus: Any = {"scores": {"corpus": {"value": sum(scores), "stats": {}}}}
        results["tasks"]["qa"]["metrics"]["bleu"] = corpus
        put_run(api, name, results)
    code, out, _ = run("compare", "old", "new")
    assert code == 0
    assert "qa/bleu/corpus: no interval, so no verdict: that needs scores of single items" in out
    changes = json.loads(run("compare", "old", "new", "-o", "json")[1])["changes"]
    notes = {one["score"]: one["note"] for one in changes}
    assert notes[NAME] == ""
    assert notes["qa/bleu/corpus"].startswith("no interval, so no verdict")
    assert "more became" not in out


def test_only_the_directions_that_items_changed_in_have_a_heading(api: ClusterApi, run: Run) -> None:
    put_run(api, "old", answers([0.0] * 9))
    put_run(api, "new", answers([1.0] * 9))
    for names, word in ((("old", "new"), "better"), (("new", "old"), "worse")):
        (heading,) = [
            line for line in run("compare", *names)[1].splitlines() if line.startswith("Items that became")
        ]
        assert heading == f"Items that became {word}, the largest change first"


def test_in_the_gates_direction_less_is_better(api: ClusterApi, run: Run) -> None:
    gate = {"criteria": [{"score": "answered", "direction": "LowerIsBetter", "maxDrop": 0.1}]}
    put_run(api, "old", answers([1.0] * 50))
    put_run(api, "new", answers([0.0] * 50), gate=gate)
    out = run("compare", "old", "new")[1]
    assert out.splitlines()[4].rstrip().endswith("better")
    assert "50 better   0 worse   0 equal" in out
    assert out.count(f"+ {NAME}  1 -> 0\n") == 5
    assert "45 more became better" in out
    assert "became worse" not in out


@pytest.mark.usefixtures("runs")
def test_runs_of_different_configs_are_shown_and_not_compared(api: ClusterApi, run: Run) -> None:
    other = {"benchmark": {"name": "qa", "generation": 4, "hash": "sha256:other"}}
    put_run(api, "other", answers(AFTER), status={})
    api.objects["nemoevaljobs", "team-a", "other"]["status"] |= other
    out = run("compare", "old", "other")[1]
    why = "Not compared: old and other measured different configs"
    assert out.splitlines()[2:5] == ["", f"{why}: their status.benchmark.hash differs", ""]
    assert out.splitlines()[6].split() == [NAME, "0.8", "0.76"]
    assert "CHANGE" not in out

    put_run(api, "other", answers(AFTER), config='{"params":{"temperature":0},"type":"custom"}')
    fields = ["  params.limit_samples: 50 -> not set", "  params.temperature: not set -> 0"]
    assert run("compare", "old", "other")[1].splitlines()[2:7] == ["", why, *fields, ""]
    assert run("compare", "old", "other", "-o", "json")[2] == (
        "old and other measured different configs: params.limit_samples: 50 -> not set; "
        "params.temperature: not set -> 0\n"
    )


@pytest.mark.usefixtures("runs")
def test_programs_read_the_values_of_runs_that_are_not_compared(api: ClusterApi, run: Run) -> None:
    headings = run("compare", "old", "new", "-o", "csv")[1].splitlines()[0]
    put_run(api, "other", answers(AFTER), config='{"params":{"temperature":0},"type":"custom"}')

    code, out, err = run("compare", "old", "other", "-o", "csv")

    assert (code, out.splitlines()[0]) == (0, headings)
    (row,) = csv.DictReader(io.StringIO(out))
    assert (row.pop("score"), row.pop("baseline"), row.pop("candidate")) == (NAME, "0.8", "0.76")
    assert row.pop("note") == "old and other measured different configs"
    assert not any(row.values())
    assert err.startswith("old and other measured different configs: params.limit_samples: 50 -> not set")


@pytest.mark.usefixtures("runs")
def test_a_run_is_not_compared_with_itself(run: Run) -> None:
    assert run("compare", "old", "old")[0] == 64
    assert run("compare", "old", "missing")[0] == 4


def test_texts_of_models_cannot_control_the_terminal(api: ClusterApi, run: Run) -> None:
    put_run(api, "old", answers([1.0] * 40))
    texts = dict.fromkeys(("input", "reference", "output"), HOSTILE)
    put_run(api, "new", answers([0.0] * 40, **texts))
    for words in (("rows", "new", "--worst", "99"), ("compare", "old", "new", "--flips", "20")):
        for output in ("wide", "json", "yaml", "csv"):
            assert not set(run(*words, "-o", output)[1]) & CONTROLS
    assert "[bold]fake[/]" in run("rows", "new", "--worst", "99")[1]
