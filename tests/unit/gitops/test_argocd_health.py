"""Argo CD's health check, in a Lua 5.1 sandbox, on objects as docs/explanation/gitops.md describes them.

That live objects are as it describes them is for tests/e2e/test_gitops.py to say.
"""

from typing import Any

import pytest
from lupa.lua51 import LuaError

from tests.argocd import HEALTH_LUA, HOOK_FINALIZER, Health, health
from tests.documented import SITUATIONS


def conditions(*given: str) -> dict[str, Any]:
    """An object with these conditions, each given as Type=Status."""
    pairs = [one.split("=") for one in given]
    said = [
        {"type": kind, "status": status, "reason": f"{kind}Why", "message": "why"} for kind, status in pairs
    ]
    return {"metadata": {"generation": 3}, "status": {"observedGeneration": 3, "conditions": said}}


def job(situation: str) -> dict[str, Any]:
    """A NemoEvalJob in a situation of the documentation."""
    documented = SITUATIONS["NemoEvalJob", situation].conditions
    return conditions(*(f"{kind}={status}" for kind, status in documented.items()))


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["Ready=True"], "Healthy"),
        (["Ready=False", "Reconciling=True"], "Progressing"),
        (["Ready=False", "Stalled=True"], "Degraded"),
        (["Ready=Unknown"], "Progressing"),
        (["Ready=False"], "Progressing"),
        (["Ready=True", "Stalled=False", "Reconciling=False"], "Healthy"),
        (["Reconciling=True", "Stalled=True"], "Progressing"),
        (["SomethingElse=True"], "Progressing"),
        ([], "Progressing"),
    ],
)
def test_any_kind_reads_by_its_conditions_in_the_order_of_kstatus(given: list[str], read: str) -> None:
    """As a NemoEvaluatorConnection has them: Ready, Reconciling and Stalled."""
    assert health(conditions(*given)).status == read


OLD = {"observedGeneration": 2, "conditions": conditions("Ready=True")["status"]["conditions"]}


@pytest.mark.parametrize("status", [None, {}, {"observedGeneration": -1}, OLD])
def test_what_was_not_handled_is_never_healthy(status: dict[str, Any] | None) -> None:
    live = {"metadata": {"generation": 3}, "status": status}

    assert health(live) == Health("Progressing", "waiting for nemo-eval-operator to handle it")


@pytest.mark.parametrize(
    ("situation", "acted_on", "read"),
    [
        ("succeeded", None, "Progressing"),
        ("failed", "1", "Progressing"),
        ("succeeded", "2", "Healthy"),
        ("failed", "2", "Degraded"),
        ("suspended", None, "Suspended"),
        ("invalid", None, "Degraded"),
    ],
)
def test_a_verdict_is_none_once_another_attempt_is_asked_for(
    situation: str, acted_on: str | None, read: str
) -> None:
    live = job(situation)
    metadata = live["metadata"] | {"annotations": {"evaluator.nemo.dev/rerun": "2"}}
    status = live["status"] | ({} if acted_on is None else {"rerun": acted_on})

    assert health({"metadata": metadata, "status": status}).status == read


def test_the_message_gives_the_reason() -> None:
    assert health(conditions("Ready=False", "Stalled=True")) == Health("Degraded", "StalledWhy: why")


@pytest.mark.parametrize(
    ("given", "read"),
    [("succeeded", "Healthy"), ("cancelled", "Degraded"), ("running", "Progressing")],
)
def test_a_hook_that_is_deleted_but_held_reads_by_its_conditions(given: str, read: str) -> None:
    live = job(given)
    marks = {"deletionTimestamp": "2026-03-01T12:00:00Z", "finalizers": [HOOK_FINALIZER]}

    assert health(live | {"metadata": live["metadata"] | marks}).status == read


@pytest.mark.parametrize(
    "script",
    [
        'return {status = string.upper("healthy"), message = ""}',
        'return {status = ("healthy"):upper(), message = ""}',
        'return {status = require("string").upper("healthy"), message = ""}',
        "return {status = io.read(), message = os.getenv('HOME')}",
        "return {status = python.eval('1'), message = ''}",
    ],
)
def test_the_sandbox_is_as_bare_as_that_of_argocd(script: str) -> None:
    with pytest.raises(LuaError):
        health(conditions(), script=script)


def test_the_check_is_a_script_without_require() -> None:
    assert "require" not in HEALTH_LUA.read_text()
