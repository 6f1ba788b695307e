"""`kubectl nemoeval get`: which runs are listed, for programs and while they are watched."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from rich.console import Console

from nemo_eval_operator.plugin import run_list
from nemo_eval_operator.plugin.run_rows import rows_of
from nemo_eval_operator.plugin.run_table import RunTables
from tests.unit.lifecycle.objects import NOW, evaljob, finished, followed
from tests.unit.plugin.cluster_api import ClusterApi
from tests.unit.plugin.conftest import Run

JOBS = "nemoevaljobs"
SCORE = {"task": "qa", "metric": "em", "score": "em", "value": 0.5}
NOTHING = "No runs in namespace team-a: start one with `kubectl nemoeval run`\n"


@pytest.fixture
def runs(api: ClusterApi) -> ClusterApi:
    for name, team in (("qa-1", "search"), ("qa-2", "ads"), ("qa-3", "search")):
        meta = {"name": name, "uid": f"uid-of-{name}", "labels": {"team": team}}
        api.put(JOBS, evaljob(meta=meta, status=finished(score="em=0.5", scores=[SCORE])))
    return api


def names_in(out: str) -> list[str]:
    return [line.split()[0] for line in out.splitlines()[1:]]


@pytest.mark.usefixtures("runs")
def test_several_runs_are_named_each_once(run: Run) -> None:
    assert names_in(run("get", "qa-2", "qa-1", "qa-2")[1]) == ["qa-1", "qa-2"]
    code, out, err = run("get", "qa-1", "missing")
    assert (code, out) == (4, "")
    assert "NemoEvalJob missing was not found" in err


@pytest.mark.usefixtures("runs")
def test_a_run_that_does_not_exist_comes_with_one_of_a_similar_name(run: Run) -> None:
    code, _, err = run("get", "qa2")
    assert (code, err) == (
        4,
        "error: NemoEvalJob qa2 was not found in namespace team-a; did you mean qa-2?\n",
    )


def test_a_name_that_cannot_be_looked_for_is_not_found_all_the_same(
    runs: ClusterApi, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = runs._answer  # noqa: SLF001

    def without_lists(request: Any) -> Any:
        runs.forbidden = {JOBS} if request.url.path.endswith(f"/{JOBS}") else set()
        return answer(request)

    monkeypatch.setattr(runs, "_answer", without_lists)
    code, _, err = run("get", "qa2")
    assert code == 4
    assert err.endswith("list those that exist with `kubectl nemoeval get -A`\n")


@pytest.mark.parametrize("words", [(), ("qa-1",), ("-l", "team=hr"), ("-w",)])
def test_a_namespace_that_does_not_exist_is_no_empty_one(
    api: ClusterApi, run: Run, words: tuple[str, ...]
) -> None:
    api.missing_namespaces = {"team-b"}
    code, out, err = run("get", *words, "-n", "team-b")
    assert (code, out) == (4, "")
    assert err.startswith("error: namespace team-b does not exist: name another one with -n, ")

    # Whether it exists is known only to a user who may read namespaces.
    api.forbidden = {"namespaces"}
    assert run("get", "-n", "team-b")[::2] == (0, NOTHING.replace("team-a", "team-b"))


def test_the_api_server_is_given_the_label_selector(runs: ClusterApi, run: Run) -> None:
    assert names_in(run("get", "-l", "team=search")[1]) == ["qa-1", "qa-3"]
    assert run("get", "-l", "team=hr")[2] == "No runs in namespace team-a match team=hr\n"


def test_a_text_that_is_not_a_label_selector_is_refused(run: Run) -> None:
    code, out, err = run("get", "-l", "team in search")
    assert (code, out) == (64, "")
    assert err.startswith(
        "error: 'team in search' is not a requirement of a label selector: use one such as "
    )


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("words", [("qa-1", "-l", "team=search"), ("-w", "-o", "name")])
def test_selections_that_do_not_fit_are_refused(run: Run, words: tuple[str, ...]) -> None:
    assert run("get", *words)[0] == 64


@pytest.mark.usefixtures("runs")
def test_names_can_be_given_to_kubectl(run: Run) -> None:
    assert run("get", "-l", "team=search", "-o", "name")[1].splitlines() == [
        "nemoevaljob.evaluator.nemo.dev/qa-1",
        "nemoevaljob.evaluator.nemo.dev/qa-3",
    ]


def test_an_unknown_format_is_refused_with_all_that_the_command_has(run: Run) -> None:
    assert run("get", "-o", "xml")[2].endswith("use one of table, wide, json, yaml, csv, name\n")
    assert run("results", "qa-1", "-o", "name")[2].endswith("use one of table, wide, json, yaml, csv\n")


@pytest.mark.usefixtures("runs")
def test_cells_of_the_csv_are_texts_and_numbers(run: Run) -> None:
    (row,) = csv.DictReader(io.StringIO(run("get", "qa-1", "-o", "csv")[1]))
    assert (row["score"], row["exitCode"]) == ("em=0.5", "0")
    assert not [cell for cell in row.values() if cell.startswith(("[", "{"))]


def test_watching_says_once_that_there_is_nothing_yet(
    api: ClusterApi, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_list, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(run_list, "POLL_SHARE", 0)

    def go_on(answers: int) -> None:
        if answers == 9:
            api.put(JOBS, evaljob(meta={"name": "first"}, status=followed()))
        if answers == 15:
            raise KeyboardInterrupt

    api.after = go_on
    code, out, err = run("get", "-w")
    assert (code, err) == (130, NOTHING)
    assert [line.partition(":")[0] for line in out.splitlines()] == ["first"]


@pytest.mark.usefixtures("runs")
def test_watching_has_the_label_selector_too(run: Run, api: ClusterApi) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    def go_on(answers: int) -> None:
        api.after = interrupt

    api.after = go_on
    out = run("get", "-w", "-l", "team=ads")[1]
    assert [line.partition(":")[0] for line in out.splitlines()] == ["qa-2"]


@pytest.mark.parametrize("width", [200, 56])
def test_columns_of_a_redrawn_table_neither_vanish_nor_become_narrower(width: int) -> None:
    text = io.StringIO()
    # Without a height, rich takes the width of a dumb terminal, which CI has, to be 80.
    console = Console(file=text, force_terminal=True, width=width, height=50, color_system=None)
    tables = RunTables(console)

    def heading(status: dict[str, Any]) -> str:
        text.seek(0)
        text.truncate()
        console.print(tables.of(rows_of([evaljob(status=status)], NOW)))
        return text.getvalue().splitlines()[0].rstrip()

    running = followed(progress={"percent": 40}, score="a-long-name=0.12345")
    first = heading(running)
    grown = heading(finished(score="em=0.5"))
    progress = ["PROGRESS"] if width == 200 else []
    assert grown.split() == first.split() == ["NAME", "PHASE", *progress, "LEFT", "SCORES", "AGE"]
    assert heading(running) == grown
