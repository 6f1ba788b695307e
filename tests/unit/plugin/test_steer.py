"""`kubectl nemoeval cancel`, `suspend`, `resume` and `rerun`: what they change, and what they refuse."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from nemo_eval_operator.plugin import editing
from tests.unit.lifecycle.objects import UID, evaljob, finished, followed, intent
from tests.unit.plugin.cluster_api import ClusterApi
from tests.unit.plugin.conftest import Run

JOBS = "nemoevaljobs"
RERUN = "evaluator.nemo.dev/rerun"
ENDED = finished(attempt=1)
QUEUED = {"phase": "Pending", "observedGeneration": 1}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(editing, "FIRST_PAUSE_SECONDS", 0.0001)


def put(api: ClusterApi, status: Any = None, annotations: dict[str, str] | None = None, **spec: Any) -> None:
    meta = {"resourceVersion": "5", "annotations": annotations or {}}
    api.put(JOBS, evaljob(meta=meta, status=status, **spec))


def spec(api: ClusterApi, name: str = "qa-llama") -> dict[str, Any]:
    found: dict[str, Any] = api.objects[JOBS, "team-a", name]["spec"]
    return found


def annotation(api: ClusterApi) -> str | None:
    found: str | None = api.objects[JOBS, "team-a", "qa-llama"]["metadata"]["annotations"].get(RERUN)
    return found


def test_cancel_names_the_remote_job(api: ClusterApi, run: Run) -> None:
    put(api, followed())
    assert run("cancel", "qa-llama") == (0, "qa-llama: cancellation of remote job eval-1 requested\n", "")
    assert spec(api)["cancel"] is True
    (patch,) = api.bodies
    assert patch["metadata"] == {"uid": UID, "resourceVersion": "5"}


def test_suspend_and_resume(api: ClusterApi, run: Run) -> None:
    put(api, QUEUED)
    code, out, _ = run("suspend", "qa-llama")
    assert (code, out) == (0, "qa-llama: suspended until `kubectl nemoeval resume qa-llama -n team-a`\n")
    assert spec(api)["suspend"] is True
    assert run("resume", "qa-llama") == (0, "qa-llama: resumed\n", "")
    assert spec(api)["suspend"] is False


def test_a_run_that_a_gitops_tool_owns_may_be_changed_back(api: ClusterApi, run: Run) -> None:
    put(api, QUEUED, {"argocd.argoproj.io/tracking-id": "app"})
    assert "change spec.suspend there too" in run("suspend", "qa-llama")[1]


@pytest.mark.parametrize(
    ("status", "given", "line"),
    [
        (ENDED, {}, "attempt 2 requested"),
        (followed(), {}, "attempt 2 requested; it starts when the present attempt has ended"),
        (ENDED, {"suspend": True}, "attempt 2 requested; it waits until spec.suspend is false"),
    ],
)
def test_rerun_sets_the_annotation_to_a_new_value(
    api: ClusterApi, run: Run, status: Any, given: dict[str, Any], line: str
) -> None:
    put(api, status | {"rerun": "before"}, {RERUN: "before"}, **given)
    follow = "; follow it with `kubectl nemoeval wait qa-llama -n team-a`"
    assert run("rerun", "qa-llama") == (0, f"qa-llama: {line}{follow}\n", "")
    assert annotation(api) not in {None, "before"}


@pytest.mark.parametrize(
    ("action", "status", "given", "message"),
    [
        ("cancel", ENDED, {}, "has ended already (Succeeded)"),
        ("cancel", followed(), {"cancel": True}, "is being cancelled already"),
        ("suspend", ENDED, {}, "has ended already (Succeeded)"),
        ("suspend", followed(), {}, "is submitted as remote job eval-1, and the evaluator cannot pause it"),
        ("suspend", intent(), {}, "is submitted, and the evaluator cannot pause it"),
        ("suspend", QUEUED, {"suspend": True}, "is suspended already"),
        ("resume", QUEUED, {}, "is not suspended"),
        ("rerun", QUEUED, {}, "has not been submitted yet (Pending)"),
        ("rerun", ENDED, {"cancel": True}, "`kubectl nemoeval run --like qa-llama -n team-a`"),
    ],
)
def test_what_has_no_effect_is_refused(
    api: ClusterApi, run: Run, action: str, status: Any, given: dict[str, Any], message: str
) -> None:
    put(api, status, **given)
    code, out, err = run(action, "qa-llama")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("error: qa-llama: ")
    assert message in err
    assert not api.bodies


def test_a_rerun_that_is_requested_already_is_refused(api: ClusterApi, run: Run) -> None:
    put(api, ENDED, {RERUN: "new"})
    assert "attempt 2 is requested already" in run("rerun", "qa-llama")[2]


@pytest.mark.parametrize(
    ("action", "line"),
    [
        ("cancel", "cancellation requested: the requested attempt does not start"),
        ("suspend", "suspended until `kubectl nemoeval resume qa-llama -n team-a`"),
    ],
)
def test_a_requested_rerun_can_be_stopped_before_it_starts(
    api: ClusterApi, run: Run, action: str, line: str
) -> None:
    put(api, ENDED, {RERUN: "new"})
    assert run(action, "qa-llama") == (0, f"qa-llama: {line}\n", "")
    assert spec(api)[action] is True


@pytest.mark.parametrize("action", ["cancel", "rerun"])
def test_a_lost_answer_does_nothing_twice(api: ClusterApi, run: Run, action: str) -> None:
    put(api, followed())
    api.lost = ["PATCH"]
    code, out, _ = run(action, "qa-llama")
    assert (code, out.count("requested")) == (0, 1)
    assert len(api.bodies) == 1


def test_a_run_that_was_written_meanwhile_is_read_again(api: ClusterApi, run: Run) -> None:
    put(api, followed())

    def end(answers: int) -> None:
        if answers == 1:
            put(api, ENDED)
            api.objects[JOBS, "team-a", "qa-llama"]["metadata"]["resourceVersion"] = "6"

    api.after = end
    code, _, err = run("cancel", "qa-llama")
    assert code == 1
    assert "has ended already" in err
    assert "cancel" not in spec(api) or not spec(api)["cancel"]


def test_another_run_of_the_same_name_is_left_alone(api: ClusterApi, run: Run) -> None:
    put(api, followed())

    def replace(answers: int) -> None:
        if answers == 1:
            put(api, followed())
            api.objects[JOBS, "team-a", "qa-llama"]["metadata"]["uid"] = "another"

    api.after = replace
    code, _, err = run("cancel", "qa-llama")
    assert code == 4
    assert "deleted and created again" in err
    assert not spec(api)["cancel"]


def test_of_several_runs_each_has_a_line_and_the_others_are_done(api: ClusterApi, run: Run) -> None:
    put(api, followed())
    code, out, err = run("cancel", "missing", "qa-llama", "qa-llama")
    assert (code, out.count("\n"), err.count("\n")) == (4, 1, 1)
    assert err.startswith("error: missing: was not found in namespace team-a")
    assert spec(api)["cancel"] is True


def test_the_missing_right_is_named(api: ClusterApi, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    put(api, followed())
    answer = api._answer  # noqa: SLF001

    def forbidden(request: httpx.Request) -> httpx.Response:
        api.forbidden = {JOBS} if request.method == "PATCH" else set()
        return answer(request)

    monkeypatch.setattr(api, "_answer", forbidden)
    code, _, err = run("cancel", "qa-llama")
    assert code == 4
    assert "jane may not patch nemoevaljobs.evaluator.nemo.dev in namespace team-a" in err


def test_an_api_server_that_does_not_answer_is_asked_a_limited_number_of_times(
    api: ClusterApi, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "_answer", lambda _: httpx.Response(503))
    assert run("cancel", "qa-llama")[0] == 5
    assert len(api.requests) == editing.MAX_TRIES
