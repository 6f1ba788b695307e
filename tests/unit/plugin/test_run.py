"""`kubectl nemoeval run`: one run each time, whatever becomes of the answers, and its outcome."""

from __future__ import annotations

import io
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from rich.console import Console

from nemo_eval_operator.plugin import creating, waiting
from tests.unit.lifecycle.objects import benchmark, condition, finished, followed
from tests.unit.plugin.cluster_api import ClusterApi
from tests.unit.plugin.conftest import Run

JOBS = "nemoevaljobs"
POST = f"POST /apis/evaluator.nemo.dev/v1alpha1/namespaces/team-a/{JOBS}"
MODEL = ("-b", "qa", "-m", "meta/llama-3.1-8b-instruct")
CRITERIA = [{"score": "answered", "minimum": 0.7}]
COMPARED = [{"score": "answered", "maxDrop": 0.02}]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "FIRST_POLL_SECONDS", 0.001)
    monkeypatch.setattr(waiting, "MAX_POLL_SECONDS", 0.002)
    monkeypatch.setattr(creating, "FIRST_PAUSE_SECONDS", 0.001)


@pytest.fixture(autouse=True)
def qa(api: ClusterApi) -> None:
    api.put("nemobenchmarks", benchmark())


def runs(api: ClusterApi) -> list[dict[str, Any]]:
    return [one for key, one in api.objects.items() if key[0] == JOBS]


def write(directory: Path, document: Any) -> str:
    path = directory / "file.yaml"
    path.write_text(yaml.safe_dump(document))
    return str(path)


def end_after(api: ClusterApi, stages: dict[int, dict[str, Any]]) -> None:
    """Give the only run these statuses after so many further answers."""
    seen = 0

    def go_on(_: int) -> None:
        nonlocal seen
        for one in runs(api):
            seen += 1
            one["status"] = stages.get(seen, one.get("status", {}))

    api.after = go_on


def test_a_run_has_the_benchmark_and_the_model_and_its_name_is_printed(api: ClusterApi, run: Run) -> None:
    code, out, err = run("run", *MODEL)
    (job,) = runs(api)
    name = job["metadata"]["name"]
    assert (code, out) == (0, f"{name}\n")
    assert err == f"follow it with `kubectl nemoeval wait {name} -n team-a`\n"
    assert name.startswith("qa-")
    assert len(name) == len("qa-") + 5
    assert job["metadata"]["generateName"] == "qa-"
    assert job["spec"] == {"benchmarkRef": {"name": "qa"}, "model": "meta/llama-3.1-8b-instruct"}


def test_a_long_name_of_a_benchmark_is_cut_as_the_api_server_does(api: ClusterApi, run: Run) -> None:
    long = "b" * 100
    api.put("nemobenchmarks", benchmark(meta={"name": long}))
    assert run("run", "-b", long, "-m", "m")[0] == 0
    assert len(runs(api)[0]["metadata"]["name"]) == 63


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_lost_answer_never_starts_a_second_run(api: ClusterApi, run: Run, lost: int) -> None:
    api.lost = ["POST"] * lost
    code, out, _ = run("run", *MODEL)
    (job,) = runs(api)
    assert (code, out) == (0, f"{job['metadata']['name']}\n")


def test_a_run_that_was_deleted_before_it_was_recognized_is_not_started_again(
    api: ClusterApi, run: Run
) -> None:
    api.lost = ["POST"]

    def delete(answers: int) -> None:
        # The second POST meets the run of the first one, which is deleted then.
        if answers == 3:
            api.objects = {key: one for key, one in api.objects.items() if key[0] != JOBS}

    api.after = delete
    code, out, err = run("run", *MODEL)
    assert (code, out) == (4, "")
    assert "was deleted" in err
    assert api.requests.count(POST) == 2
    assert not runs(api)


def test_the_name_of_another_object_is_left_to_it(
    api: ClusterApi, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.put(JOBS, {"metadata": {"name": "qa-aaaaa", "namespace": "team-a"}, "spec": {"model": "other"}})
    letters = iter("aaaaabbbbb")
    monkeypatch.setattr("nemo_eval_operator.plugin.new_run.secrets.choice", lambda _: next(letters))
    assert run("run", *MODEL)[:2] == (0, "qa-bbbbb\n")
    assert api.objects[JOBS, "team-a", "qa-aaaaa"]["spec"] == {"model": "other"}


def test_an_api_server_that_does_not_answer_is_asked_a_limited_number_of_times(
    api: ClusterApi, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = api._answer  # noqa: SLF001

    def unavailable(request: httpx.Request) -> httpx.Response:
        return httpx.Response(503) if request.method == "POST" else answer(request)

    monkeypatch.setattr(api, "_answer", unavailable)
    code, out, err = run("run", *MODEL)
    assert (code, out) == (5, "")
    assert "before you start another one" in err
    assert api.requests.count(POST) == creating.MAX_REQUESTS


def test_a_run_is_refused_by_the_api_server_in_one_line(
    api: ClusterApi, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = {"message": "spec.gate: Invalid value", "details": {"causes": [{"field": "spec.gate"}]}}
    monkeypatch.setattr(api, "_create", lambda *_: httpx.Response(422, json=refusal))
    code, _, err = run("run", *MODEL)
    assert code == 64
    assert "spec.gate: Invalid value" in err
    assert err.count("\n") == 1


def test_the_missing_right_to_create_is_named(api: ClusterApi, run: Run) -> None:
    api.forbidden.add(JOBS)
    code, _, err = run("run", *MODEL)
    assert code == 4
    assert "jane may not create nemoevaljobs.evaluator.nemo.dev in namespace team-a" in err


def test_a_benchmark_or_baseline_that_does_not_exist_starts_nothing(
    api: ClusterApi, run: Run, tmp_path: Path
) -> None:
    assert run("run", "-b", "missing", "-m", "m")[0] == 4
    gate = write(tmp_path, {"criteria": COMPARED})
    code, _, err = run("run", *MODEL, "--gate", gate, "--baseline", "missing")
    assert code == 4
    assert "NemoEvalJob missing was not found" in err
    assert not runs(api)


def test_a_user_who_may_not_read_benchmarks_may_run_them(api: ClusterApi, run: Run) -> None:
    api.forbidden.add("nemobenchmarks")
    assert run("run", *MODEL)[0] == 0


@pytest.mark.parametrize(
    "document",
    [
        {"criteria": CRITERIA},
        {"kind": "NemoEvalJob", "spec": {"gate": {"criteria": CRITERIA}}},
    ],
)
def test_a_gate_comes_from_a_file_as_it_was_written(
    api: ClusterApi, run: Run, tmp_path: Path, document: dict[str, Any]
) -> None:
    assert run("run", *MODEL, "--gate", write(tmp_path, document))[0] == 0
    assert runs(api)[0]["spec"]["gate"] == {"criteria": CRITERIA}


def test_a_policy_of_nel_gate_is_compared_with_the_baseline(
    api: ClusterApi, run: Run, tmp_path: Path
) -> None:
    policy = write(tmp_path, {"version": 1, "benchmarks": {"qa": {"max_drop": 0.02}}})
    code, _, err = run("run", *MODEL, "--gate", policy)
    assert code == 64
    assert "name that run with --baseline" in err
    spec = {"benchmarkRef": {"name": "qa"}, "model": "m"}
    api.put(JOBS, {"metadata": {"name": "old", "namespace": "team-a"}, "spec": spec})
    code, out, err = run("run", *MODEL, "--gate", policy, "--baseline", "old")
    assert (code, err.count("error")) == (0, 0)
    gate = api.objects[JOBS, "team-a", out.strip()]["spec"]["gate"]
    assert gate["baseline"] == {"jobRef": {"name": "old"}}
    assert gate["criteria"][0]["maxDrop"] == 0.02


def test_a_target_comes_from_a_file(api: ClusterApi, run: Run, tmp_path: Path) -> None:
    endpoint = {"url": "http://nim.test/v1/chat/completions", "model_id": "m"}
    target = {"type": "model", "model": {"api_endpoint": endpoint}}
    for document in (target, {"kind": "NemoEvalJob", "spec": {"target": target}}):
        api.objects = {key: one for key, one in api.objects.items() if key[0] != JOBS}
        assert run("run", "-b", "qa", "--target", write(tmp_path, document))[0] == 0
        assert runs(api)[0]["spec"]["target"] == target


@pytest.mark.parametrize(
    ("words", "document", "message"),
    [
        (("-b", "qa"), {}, "exactly one of --model and --target"),
        ((*MODEL, "--target", "FILE"), {"type": "model"}, "exactly one of --model and --target"),
        ((*MODEL, "--baseline", "old"), {}, "--baseline needs --gate"),
        ((*MODEL, "--timeout", "1s"), {}, "--timeout needs --wait"),
        ((*MODEL, "--gate", "FILE"), {"criteria": [{"score": "a"}]}, "criteria[0]: needs a rule"),
        ((*MODEL, "--gate", "/missing"), {}, "/missing: No such file"),
        ((*MODEL, "--gate", "FILE", "--baseline", "old"), {"criteria": CRITERIA}, "has no effect"),
        (("-b", "qa", "--target", "FILE"), {"type": "modle"}, "type: 'modle' is not one of model, "),
        (("-b", "qa", "--target", "FILE"), [1], "expected a target"),
        (
            ("-b", "qa", "--target", "FILE"),
            {"kind": "NemoEvalJob", "spec": {"target": {"type": 1}}},
            "spec.target.type: 1 is not one of model, ",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(
    api: ClusterApi, run: Run, tmp_path: Path, words: tuple[str, ...], document: Any, message: str
) -> None:
    path = write(tmp_path, document)
    code, out, err = run("run", *(path if word == "FILE" else word for word in words))
    assert (code, out, err.count("\n")) == (64, "", 1)
    assert message in err
    assert not runs(api)


def test_with_wait_the_run_is_followed_to_its_end(api: ClusterApi, run: Run) -> None:
    failed = [condition("Ready", "False", "GateFailed"), condition("Stalled", "True", "GateFailed")]
    gate = [*failed, condition("Complete", "True", "Completed"), condition("GatePassed", "False", "x")]
    end_after(api, {2: followed(), 4: finished(message="0.6 is below 0.7", conditions=gate)})
    code, out, err = run("run", *MODEL, "--wait")
    name = runs(api)[0]["metadata"]["name"]
    assert (code, out) == (1, f"{name}: gate failed: 0.6 is below 0.7\n")
    created, *lines = err.splitlines()
    assert created == f"created {name} in namespace team-a"
    assert lines[-2:] == [f"{name}: Running", f"{name}: next: kubectl nemoeval why {name} -n team-a"]


def test_a_time_out_leaves_the_run_going(api: ClusterApi, run: Run) -> None:
    code, out, _ = run("run", *MODEL, "--wait", "--timeout", "0.05")
    assert code == 3
    assert "timed out" in out
    assert not any(one.startswith(("PATCH", "DELETE")) for one in api.requests)


def test_ctrl_c_leaves_the_run_going_and_names_the_next_commands(api: ClusterApi, run: Run) -> None:
    api.after = lambda answers: signal.raise_signal(signal.SIGINT) if answers == 5 else None
    code, out, err = run("run", *MODEL, "--wait")
    name = runs(api)[0]["metadata"]["name"]
    assert (code, out) == (130, "")
    assert f"{name} goes on" in err
    assert f"`kubectl nemoeval cancel {name} -n team-a`" in err
    assert not any(one.startswith(("PATCH", "DELETE")) for one in api.requests)


def test_ctrl_c_before_an_answer_says_what_is_not_known(api: ClusterApi, run: Run) -> None:
    api.lost = ["POST"]
    api.after = lambda answers: signal.raise_signal(signal.SIGINT) if answers == 2 else None
    code, out, err = run("run", *MODEL)
    name = runs(api)[0]["metadata"]["name"]
    assert (code, out) == (130, "")
    assert err.splitlines()[-1].startswith(f"Whether run {name} was created is not known")


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, kind: str) -> io.StringIO:
    """Give `run` a terminal with this value of TERM; returns what it prints on it."""
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=100, no_color=True, _environ={"TERM": kind})
    monkeypatch.setattr(creating, "console_for", lambda **_: console)
    return text


def test_on_a_terminal_progress_is_drawn_in_one_row(
    api: ClusterApi, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = on_a_terminal(monkeypatch, "xterm")
    end_after(api, {2: followed(progress={"percent": 40}), 5: finished(message="done")})
    code, out, err = run("run", *MODEL, "--wait")
    assert code == 0
    assert out.endswith(": succeeded: done\n")
    assert "████░░░░░░  40%" in text.getvalue()
    assert "Running" not in err


def test_a_terminal_that_cannot_redraw_gets_a_line_for_each_change(
    api: ClusterApi, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = on_a_terminal(monkeypatch, "dumb")
    end_after(api, {2: followed(progress={"percent": 40}), 5: finished(message="done")})
    code, _, err = run("run", *MODEL, "--wait")
    assert code == 0
    assert "Running" in err
    assert text.getvalue() == ""
