"""`kubectl nemoeval get`: the table of runs, what programs read of it, and changes."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
import yaml
from rich.console import Console
from rich.text import Text

from nemo_eval_operator.plugin import run_list
from nemo_eval_operator.plugin.run_rows import age_text, rows_of
from nemo_eval_operator.plugin.run_table import run_table
from nemo_eval_operator.resources import NemoEvalJob
from tests.unit.lifecycle.objects import NOW, condition, evaljob, finished, followed, stamp, working
from tests.unit.plugin.cluster_api import ClusterApi
from tests.unit.plugin.conftest import Run

JOBS = "nemoevaljobs"


def run_of(name: str, status: dict[str, Any], namespace: str = "team-a", **spec: Any) -> NemoEvalJob:
    meta = {
        "name": name,
        "namespace": namespace,
        "uid": f"uid-{name}",
        "creationTimestamp": "2026-03-01T11:00:00Z",
    }
    return evaljob(meta=meta, status=status, **spec)


FAILED = finished(
    phase="Failed",
    conditions=[
        condition(kind, status, "EvaluationFailed")
        for kind, status in (("Ready", "False"), ("Stalled", "True"), ("Failed", "True"))
    ],
)
WAITING = {
    "observedGeneration": 1,
    "phase": "Pending",
    "queuePosition": 3,
    "conditions": working("Queued"),
}
RUNNING = followed(progress={"percent": 40})
DONE = finished(score="em=0.62", gate={"verdict": "Passed", "hash": "h"}, model="meta/llama")


@pytest.fixture
def runs(api: ClusterApi) -> ClusterApi:
    for name, status in (("done", DONE), ("waits", WAITING), ("runs", RUNNING), ("failed", FAILED)):
        api.put(JOBS, run_of(name, status))
    api.put(JOBS, run_of("other", RUNNING, namespace="team-b"))
    return api


def first_words(out: str) -> list[str]:
    return [line.split()[0] for line in out.splitlines()]


def test_runs_that_are_not_ready_come_first_with_stage_progress_verdict_and_scores(
    runs: ClusterApi, run: Run
) -> None:
    code, out, err = run("get")
    assert (code, err) == (0, "")
    assert first_words(out) == ["NAME", "failed", "runs", "waits", "done"]
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert "Failed (EvaluationFailed)" in lines["failed"]
    assert "Running" in lines["runs"]
    assert "40%" in lines["runs"]
    assert "Pending (Queued, about position 3)" in lines["waits"]
    for shown in ("Succeeded", "Passed", "em=0.62"):
        assert shown in lines["done"]


def test_one_run_or_those_of_all_namespaces(runs: ClusterApi, run: Run) -> None:
    assert first_words(run("get", "runs")[1]) == ["NAME", "runs"]
    out = run("get", "-A")[1]
    assert ["team-b", "other"] in [line.split()[:2] for line in out.splitlines()]
    assert run("get", "missing")[0] == 4


def test_time_left_is_estimated_from_the_share_that_is_done() -> None:
    # 40 % in 100 s.
    (row,) = rows_of([run_of("runs", RUNNING)], NOW)
    assert row.left is not None
    assert row.left.total_seconds() == 150
    assert row.as_json()["secondsLeft"] == 150


def test_a_terminal_has_a_bar_and_a_narrow_one_cuts_scores_and_not_names() -> None:
    name = "a-run-whose-name-is-rather-long-0123456789"
    status = followed(progress={"percent": 40}, score="one=0.123 two=0.456 three=0.789 four=0.1")
    rows = rows_of([run_of(name, status)], NOW)
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=100, height=50, color_system=None)
    console.print(run_table(rows, console=console))
    out = text.getvalue()
    assert "████░░░░░░  40%" in out
    assert name in out
    assert "one=0.123 +3 more" in out
    assert max(map(len, out.splitlines())) <= 100


def table_of(*jobs: NemoEvalJob, width: int) -> list[str]:
    text = io.StringIO()
    # Without a height, rich takes the width of a dumb terminal, which CI has, to be 80.
    console = Console(file=text, force_terminal=True, width=width, height=50, color_system=None)
    console.print(run_table(rows_of(jobs, NOW), console=console))
    return [line.rstrip() for line in text.getvalue().splitlines()]


def test_80_columns_have_whole_phases_and_first_scores_and_no_empty_columns() -> None:
    scored = finished(score="answered=0.5417 bleu=31.04 em=0.4167 f1=0.44 rouge_1=0.46")
    gate = {"verdict": "Inconclusive", "hash": "h"}
    lines = table_of(
        run_of("general-knowledge-kwm6h", scored | {"gate": gate}),
        run_of("general-knowledge-m7wht", FAILED),
        width=80,
    )

    assert lines[0].split() == ["NAME", "PHASE", "VERDICT", "SCORES", "AGE"]
    failed, done = lines[1:]
    assert failed.split()[:2] == ["general-knowledge-m7wht", "Failed"]
    assert "Succeeded  Inconclusive  answered=0.5417" in done
    assert max(map(len, lines)) <= 80


def test_80_columns_have_room_for_a_run_with_its_percentage() -> None:
    scored = finished(score="answered=0.2917 sentence=34.33 +7 more")
    lines = table_of(
        run_of("general-knowledge-one-word", scored | {"gate": {"verdict": "Inconclusive", "hash": "h"}}),
        run_of("general-knowledge-f6v6t", RUNNING),
        width=80,
    )

    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["NAME", "PHASE", "VERDICT", "SCORES", "AGE"]
    running, done = lines[1:]
    assert running.split()[:3] == ["general-knowledge-f6v6t", "Running", "40%"]
    assert "general-knowledge-one-word  Succeeded    Inconclusive  answered=0.2917" in done


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (59, "59s"),
        (350, "5m50s"),
        (10 * 60 + 5, "10m"),
        (179 * 60, "179m"),
        (3 * 3600 + 61, "3h1m"),
        (8 * 3600 + 1800, "8h"),
        (47 * 3600, "47h"),
        (49 * 3600, "2d"),
    ],
)
def test_ages_are_short(seconds: int, text: str) -> None:
    assert age_text(timedelta(seconds=seconds)) == text


def test_reasons_are_cut_before_scores() -> None:
    status = FAILED | {"score": "em=0.62 f1=0.70"}
    widest = max(map(len, table_of(run_of("fails", status), width=200)))

    line = table_of(run_of("fails", status), width=widest - 5)[1]

    assert "Failed (EvaluationF…" in line
    assert "em=0.62 f1=0.70" in line


def test_the_colour_of_a_phase_is_not_that_of_its_verdict() -> None:
    failed_gate = finished(gate={"verdict": "Failed", "hash": "h"})
    (row,) = rows_of([run_of("gated", failed_gate)], NOW)
    table = run_table([row], console=Console(width=200))
    _, line = table.renderables
    assert isinstance(line, Text)
    styles = {line.plain[span.start : span.end].rstrip(): span.style for span in line.spans}

    assert styles["Succeeded"] == "green"
    assert styles["Failed"] == "bold red"


def test_a_run_that_its_user_cancelled_is_over_and_one_cancelled_in_the_evaluator_comes_first() -> None:
    cancelled = finished(
        phase="Cancelled",
        conditions=[
            condition(kind, status, "Cancelled")
            for kind, status in (("Ready", "False"), ("Stalled", "True"), ("Failed", "True"))
        ],
    )
    by_user, by_others = run_of("by-user", cancelled, cancel=True), run_of("by-others", cancelled)
    rows = rows_of([by_user, run_of("waits", WAITING), by_others], NOW)

    assert [row.name for row in rows] == ["by-others", "waits", "by-user"]
    assert {row.stage for row in rows if row.name != "waits"} == {"Cancelled"}


def test_lines_have_no_blanks_at_their_ends(api: ClusterApi, run: Run) -> None:
    api.put(JOBS, run_of("long", DONE | {"message": "x" * 300}))
    api.put(JOBS, run_of("short", DONE | {"message": "y"}))

    assert not [line for line in run("get", "-o", "wide")[1].splitlines() if line != line.rstrip()]


def test_wide_output_cuts_nothing(api: ClusterApi, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    message = "long " * 100 + "end"
    api.put(JOBS, run_of("done", DONE | {"message": message}))
    _, out, _ = run("get", "-o", "wide")
    assert "MESSAGE" in out
    assert "long end" in out
    assert out.count("\n") == 2


def test_json_yaml_and_csv_have_the_same_rows(runs: ClusterApi, run: Run) -> None:
    as_json = json.loads(run("get", "-o", "json")[1])
    assert [one["name"] for one in as_json] == ["failed", "runs", "waits", "done"]
    assert as_json[3]["verdict"] == "Passed"
    assert (as_json[0]["outcome"], as_json[0]["exitCode"]) == ("failed", 1)
    assert yaml.safe_load(run("get", "-o", "yaml")[1])[1]["percent"] == 40
    table = list(csv.DictReader(io.StringIO(run("get", "-o", "csv")[1])))
    assert [one["name"] for one in table] == ["failed", "runs", "waits", "done"]
    assert table[1]["percent"] == "40"


def test_texts_of_models_and_evaluators_cannot_control_the_terminal(api: ClusterApi, run: Run) -> None:
    status = DONE | {"score": "\x1b[31mem=1\n[bold]x[/]", "model": "\x9b2J\u202e", "message": "a\x1b]0;t\x07"}
    api.put(JOBS, run_of("done", status))
    for output in ("wide", "json", "yaml", "csv"):
        out = run("get", "-o", output)[1]
        assert not set(out) & {"\x1b", "\x9b", "\u202e", "\x07"}
    assert "[bold]x[/]" in run("get")[1]


def test_nothing_to_list_says_what_to_do(api: ClusterApi, run: Run) -> None:
    assert run("get") == (
        0,
        "",
        "No runs in namespace team-a: start one with `kubectl nemoeval run`\n",
    )
    assert run("get", "-A")[2].startswith("No runs in the cluster: ")


def test_without_the_crds_it_says_so(api: ClusterApi, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "_answer", lambda _: httpx.Response(404, json={"message": "no"}))
    code, _, err = run("get")
    assert code == 4
    assert "install the CRDs" in err


def test_the_missing_right_to_list_is_named(api: ClusterApi, run: Run) -> None:
    api.forbidden.add(JOBS)
    code, _, err = run("get", "-A")
    assert code == 4
    assert "ask for a " in err


@pytest.mark.parametrize("words", [("-o", "xml"), ("-w", "-o", "json"), ("name", "-A")])
def test_options_that_do_not_fit_are_refused(api: ClusterApi, run: Run, words: tuple[str, ...]) -> None:
    assert run("get", *words)[0] == 64


def test_watching_prints_each_change_once_where_the_output_is_not_a_terminal(
    api: ClusterApi, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_list, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(run_list, "POLL_SHARE", 0)
    api.put(JOBS, run_of("qa", WAITING))
    stages: dict[int, Any] = {3: RUNNING, 6: DONE}

    def go_on(answers: int) -> None:
        if answers in stages:
            api.put(JOBS, run_of("qa", stages[answers]))
        if answers == 9:
            api.objects.clear()
            api.put(JOBS, run_of("next", {"startTime": stamp(NOW)}))
        if answers == 12:
            raise KeyboardInterrupt

    api.after = go_on
    code, out, _ = run("get", "-w")
    assert code == 130
    assert out.splitlines() == [
        "qa: Pending (Queued, about position 3)",
        "qa: Running 40%",
        "qa: Succeeded, gate Passed, em=0.62",
        "next: not reconciled yet",
        "qa: deleted",
    ]


def test_a_requested_rerun_has_neither_the_former_phase_nor_its_percentage(api: ClusterApi, run: Run) -> None:
    meta = {"annotations": {"evaluator.nemo.dev/rerun": "2"}}
    api.put(JOBS, evaljob(meta=meta, status=FAILED | {"attempt": 1, "progress": {"percent": 100}}))
    _, out, _ = run("get", "qa-llama")
    assert "Rerun requested (attempt 2 has not started yet)" in out
    assert "Failed" not in out
    assert "100%" not in out
