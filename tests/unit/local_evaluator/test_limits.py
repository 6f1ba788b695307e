"""Templates and patterns that would take all time or memory: each costs its sample, and nothing else."""

import asyncio
import json
import resource
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from nemo_local_evaluator.scoring import MetricSpec, ScoringPool, check, score_samples
from tests.unit.local_evaluator.harness import (
    MODEL_URL,
    Evaluator,
    FakeModel,
    chat_config,
    chat_reply,
    data_config,
    evaluator,
    model_target,
    rows_target,
    string_check,
)

STEP_SECONDS = 0.5

GROWS = (
    "{{% set grown = namespace(x={start}) %}}"
    "{{% for _ in range(99) %}}{{% set grown.x = {step} %}}{{% endfor %}}"
)

TAKES_LONG = {
    "nested loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "lists of ranges": "{% for a in range(99999) %}{% set b = range(99999) | list %}{% endfor %}",
    "macros": "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "lipsum": "{{ lipsum(n=10000000) }}",
    "power": "{{ 9 ** 999999999 }}",
    "squares": GROWS.format(start="7", step="grown.x * grown.x"),
    "wordwrap": "{{ ('x' * 100000000) | wordwrap(1) }}",
}
TAKES_MUCH = {
    "center": "{{ 'x' | center(2000000000) }}",
    "format": "{{ '%2000000000d' | format(1) }}",
    "format method": "{{ '{:>2000000000}'.format(1) }}",
    "ljust": "{{ 'x'.ljust(2000000000) }}",
    "repeated text": "{{ 'x' * 2000000000 }}",
    "repeated list": "{{ [1] * 2000000000 }}",
    "replace": GROWS.format(start="'xxxx'", step="grown.x.replace('x', grown.x)"),
    "join": GROWS.format(start="'x'", step="[grown.x, grown.x, grown.x] | join"),
    "concatenation": GROWS.format(start="'x'", step="grown.x ~ grown.x"),
    "list doubling": GROWS.format(start="[1]", step="grown.x + grown.x"),
}
SAYS_WHY = {
    "recursion": ("{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}", "maximum recursion depth"),
    "range": ("{% for a in range(10000000) %}x{% endfor %}", "Range too big"),
    "long output": ("{% for a in range(99999) %}{{ 'x' * 100 }}{% endfor %}", "more than 1000000 characters"),
}
BOMBS = {
    # Which of the two limits is met first depends on the machine.
    **{name: (bomb, "template or metric ") for name, bomb in (TAKES_LONG | TAKES_MUCH).items()},
    **SAYS_WHY,
}
IGNORES_ALARM = "{{ [[1] * 1000] * 1000000 == [[1.0] * 1000] * 1000000 }}"
"""One long comparison in C."""


@pytest.fixture
async def server(tmp_path: Path, model: FakeModel) -> AsyncIterator[Evaluator]:
    async with evaluator(tmp_path, model, step_seconds=STEP_SECONDS) as running:
        yield running


def armed(bomb: str) -> str:
    """For rows that say whether it goes off."""
    return f"{{% if item.armed %}}{bomb}{{% endif %}}ok"


ROWS = rows_target({"armed": True}, {"armed": False})


async def finished_while_healthy(server: Evaluator, config: Mapping[str, Any]) -> dict[str, Any]:
    """The job, during which the server answers as ever."""
    job = await server.create("jobs", {"config": config, "target": ROWS})
    healthy_meanwhile = 0
    async with asyncio.timeout(120):
        while job["status"] not in {"completed", "failed"}:
            health = await server.http.get("/health")
            assert health.json() == {"status": "healthy"}
            healthy_meanwhile += job["status"] == "running"
            job = await server.get(f"jobs/{job['id']}")
            await asyncio.sleep(0.01)
    assert healthy_meanwhile
    return job


async def test_every_bomb_in_a_metric_costs_its_sample_and_nothing_else(server: Evaluator) -> None:
    config = data_config()
    config["tasks"]["qa"]["metrics"] = {
        name: string_check(armed(bomb), "equals", "ok") for name, (bomb, _) in BOMBS.items()
    }
    job = await finished_while_healthy(server, config)
    assert job["status"] == "completed", job["status_details"]

    task = (await server.get(f"jobs/{job['id']}/results"))["tasks"]["qa"]
    for name in BOMBS:
        score = task["metrics"][name]["scores"]["string-check"]
        assert (score["value"], score["stats"]["count"], score["stats"]["nan_count"]) == (1, 1, 1), name
    hit, spared = task["data"]["samples"]
    for name, (_, cause) in BOMBS.items():
        assert any(
            error.startswith(f"metric {name!r}: ") and cause in error for error in hit["error"].split("; ")
        ), (name, hit["error"])
    assert "error" not in spared
    assert (await server.scores(data_config(string_check("a", "equals", "a")), ROWS))["string-check"]


async def test_a_worker_that_ignores_the_alarm_is_ended_and_replaced(server: Evaluator) -> None:
    config = data_config(string_check(armed(IGNORES_ALARM), "equals", "ok"))
    job = await finished_while_healthy(server, config)
    assert job["status"] == "completed", job["status_details"]
    task = (await server.get(f"jobs/{job['id']}/results"))["tasks"]["qa"]
    assert task["data"]["samples"][0]["error"] == (
        "template or metric took more than 1 s of CPU time without a pause"
    )
    assert task["metrics"]["score"]["scores"]["string-check"]["stats"]["count"] == 1
    assert (await server.scores(data_config(string_check("a", "equals", "a")), ROWS))["string-check"]


@pytest.mark.parametrize(
    ("template", "cause"),
    [
        ("{{" + "(" * 3000 + "1" + ")" * 3000 + "}}", "maximum recursion depth"),
        ("{% for a in x %}" * 60 + "{% endfor %}" * 60, "too many statically nested blocks"),
        ("{{ " + "9" * 6000 + " }}", "digits"),
        ("{{ 1 }}" * 20_000, "longer than 100000 characters"),
    ],
    ids=["parentheses", "loops", "digits", "length"],
)
async def test_what_cannot_be_compiled_is_refused(server: Evaluator, template: str, cause: str) -> None:
    job = {"config": data_config(string_check(template, "equals", "a")), "target": ROWS}
    assert cause in await server.refused(400, "POST", "jobs", job)
    failed = await server.run(job["config"], ROWS, skip_checks=True)
    assert failed["status"] == "failed"
    assert cause in failed["status_details"]["message"]


async def test_a_bomb_in_a_prompt_costs_its_sample_and_no_call(server: Evaluator) -> None:
    rows = [
        {"question": "?", "answer": "ok", "armed": True},
        {"question": "?", "answer": "ok", "armed": False},
    ]
    template = {"messages": [{"role": "user", "content": armed(TAKES_LONG["nested loops"])}]}
    config = chat_config(server.dataset("quiz.json", rows), template=template)
    scores = await server.scores(config, model_target())
    assert scores["string-check"]["stats"]["nan_count"] == 1
    assert [body["messages"][0]["content"] for body in server.model.bodies] == ["ok"]


async def test_a_judge_s_pattern_with_endless_backtracking_fails_only_its_sample(server: Evaluator) -> None:
    async def judge(request: httpx.Request) -> httpx.Response:
        says = json.loads(request.content)["messages"][0]["content"]
        return chat_reply("a" * 60 + "!" if says == "True" else "aaa 5")

    server.model.answer = judge
    params = {
        "model": {"api_endpoint": {"url": MODEL_URL, "model_id": "judge"}},
        "template": {"messages": [{"role": "user", "content": "{{item.armed}}"}]},
        "scores": {"rating": {"type": "int", "parser": {"type": "regex", "pattern": r"(?:a+)+ (\d)"}}},
    }
    job = await finished_while_healthy(server, data_config({"type": "llm-judge", "params": params}))
    assert job["status"] == "completed", job["status_details"]
    task = (await server.get(f"jobs/{job['id']}/results"))["tasks"]["qa"]
    assert task["metrics"]["score"]["scores"]["rating"]["stats"]["nan_count"] == 1
    assert "took more than 0.5 s of CPU time" in task["data"]["samples"][0]["error"]


async def test_a_worker_s_memory_is_bounded_and_given_back() -> None:
    def spec(template: str) -> dict[str, MetricSpec]:
        check = json.dumps({"check": [template, "equals", "a"]})
        return {"score": MetricSpec(type="string-check", params=check)}

    with closing(ScoringPool(workers=1, step_seconds=5)) as pool:
        for number in range(12):
            # Constant: were it evaluated while compiling, all twelve would stay in the worker's cache.
            bomb = spec(f"{{{{ 'x' | center({200_000_000 + number}) }}}}")
            await pool.call(check, None, bomb)
            (scores,) = await pool.call(score_samples, bomb, [({}, {})])
            assert "more than 1000000 characters" in scores.errors[0]
        for template in TAKES_MUCH.values():
            (scores,) = await pool.call(score_samples, spec(template), [({}, {})])
            assert "needed more than 1024 MiB" in scores.errors[0]
        peak = await pool.call(resource.getrusage, resource.RUSAGE_SELF)
    assert peak.ru_maxrss < 1.5 * 1024**2  # KiB
