"""A Kubernetes API that is unreachable for a time: one line where that begins, and one where it ends."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import httpx
import pytest
from rich.console import Console

from nemo_eval_operator.plugin import creating, retries, run_list, run_screen, waiting
from tests.unit.lifecycle.objects import benchmark, evaljob, finished, followed
from tests.unit.plugin.cluster_api import ClusterApi
from tests.unit.plugin.conftest import Run

JOBS = "nemoevaljobs"
LOST = "the Kubernetes API at kube.test:443 did not answer in time; trying again for up to 1m30s"
BACK = "the Kubernetes API answers again"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "FIRST_POLL_SECONDS", 0.001)
    monkeypatch.setattr(waiting, "MAX_POLL_SECONDS", 0.002)
    monkeypatch.setattr(creating, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(run_list, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(run_list, "POLL_SHARE", 0)


def going_on(api: ClusterApi, stages: dict[int, Any], *, lost: list[str]) -> Callable[[int], None]:
    """Return what gives runs the status of each stage, and loses answers after the first of them."""

    def go_on(answers: int) -> None:
        if answers not in stages:
            return
        if answers == min(stages):
            api.lost += lost
        for document in [one for key, one in api.objects.items() if key[0] == JOBS]:
            document["status"] = stages[answers]

    return go_on


def stages(first: int, lost: int) -> dict[int, Any]:
    return {first: followed(), first + lost + 3: finished(message="done")}


def on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, text: io.StringIO, *, both: bool
) -> None:
    """Give the module a terminal to draw on; `both`: for error output too."""
    console = Console(file=text, force_terminal=True, width=200, no_color=True, _environ={"TERM": "xterm"})
    monkeypatch.setattr(module, "console_for", lambda **_: console)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: both)


@pytest.mark.parametrize("answers", [3, 1])
def test_waiting_reports_an_outage_once(api: ClusterApi, run: Run, answers: int) -> None:
    api.put(JOBS, evaljob(status=followed()))
    api.after = going_on(api, stages(answers, 4), lost=["GET"] * 4)
    code, out, err = run("wait", "qa-llama")
    assert (code, out) == (0, "qa-llama: succeeded: done\n")
    assert [line for line in err.splitlines() if "Kubernetes" in line] == [LOST, BACK]


def test_waiting_for_several_runs_reports_it_once_for_all(api: ClusterApi, run: Run) -> None:
    for name in ("a", "b", "c"):
        api.put(JOBS, evaljob(meta={"name": name}, status=followed()))
    api.after = going_on(api, stages(3, 9), lost=["GET"] * 9)
    code, _, err = run("wait", "a", "b", "c")
    assert code == 0
    assert [line for line in err.splitlines() if "Kubernetes" in line] == [LOST, BACK]


def test_quiet_waiting_prints_only_ends(api: ClusterApi, run: Run) -> None:
    api.put(JOBS, evaljob(status=followed()))
    api.after = going_on(api, stages(3, 4), lost=["GET"] * 4)
    assert run("wait", "qa-llama", "-q") == (0, "qa-llama: succeeded: done\n", "")


def test_an_outage_that_lasts_is_reported_before_the_command_fails(
    api: ClusterApi, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(api, "_answer", lambda _: httpx.Response(503))
    code, out, err = run("wait", "qa-llama")
    assert (code, len(api.requests) > 1) == (5, True)
    assert err.startswith("the Kubernetes API: GET /apis/")
    assert err.endswith(" answered 503: Service Unavailable; trying again for up to 0s\n")
    assert err.count("\n") == 1
    assert "Try again later" in out


@pytest.mark.parametrize("drawn", [False, True])
def test_following_a_new_run_reports_it_too(
    api: ClusterApi, run: Run, monkeypatch: pytest.MonkeyPatch, drawn: bool
) -> None:
    text = io.StringIO()
    if drawn:
        on_a_terminal(monkeypatch, creating, text, both=True)
    api.put("nemobenchmarks", benchmark())
    reads = 0

    def go_on(_: int) -> None:
        nonlocal reads
        created = [one for key, one in api.objects.items() if key[0] == JOBS]
        if not created:
            return
        reads += 1
        if reads == 1:
            # The answers to the creation and to its repetition; the third is a conflict.
            api.lost += ["POST"] * 2
        if reads == 5:
            api.lost += ["GET"] * 3
        if reads == 9:
            created[0]["status"] = finished(message="done")

    api.after = go_on
    code, _, err = run("run", "-b", "qa", "-m", "llama", "--wait")
    assert code == 0
    lines = (err + text.getvalue()).splitlines()
    assert [line[line.index("the Kub") :].rstrip() for line in lines if "the Kubernetes" in line] == [
        "the Kubernetes API at kube.test:443 did not answer in time; trying again",
        BACK,
        LOST,
        BACK,
    ]
    assert (LOST in text.getvalue()) == drawn


def watch(api: ClusterApi, run: Run) -> tuple[int, str, str]:
    api.put(JOBS, evaljob(status=followed()))

    def go_on(answers: int) -> None:
        if answers == 2:
            api.lost += ["GET"] * 3
        if answers == 9:
            raise KeyboardInterrupt

    api.after = go_on
    return run("get", "-w")


def test_watching_reports_an_outage_once(api: ClusterApi, run: Run) -> None:
    code, _, err = watch(api, run)
    assert (code, err.splitlines()[:2]) == (130, [LOST, BACK])


@pytest.mark.parametrize("both", [True, False])
def test_on_a_terminal_the_lines_are_above_the_table_unless_errors_go_elsewhere(
    api: ClusterApi, run: Run, monkeypatch: pytest.MonkeyPatch, both: bool
) -> None:
    text = io.StringIO()
    on_a_terminal(monkeypatch, run_screen, text, both=both)
    code, _, err = watch(api, run)
    assert code == 130
    assert (LOST in text.getvalue(), LOST in err) == (both, not both)
    assert (BACK in text.getvalue(), BACK in err) == (both, not both)
