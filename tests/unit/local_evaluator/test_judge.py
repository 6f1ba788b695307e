"""llm-judge: who is asked, what is read from the answer, and who sees the judge's key."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from nemo_local_evaluator.settings import RegisteredModel
from tests.unit.local_evaluator.harness import (
    Evaluator,
    FakeModel,
    chat_config,
    chat_reply,
    data_config,
    echo,
    evaluator,
    model_target,
    rows_target,
)

KEY = "judge-s3cret"
ENDPOINT = {"url": "http://judge.test/v1/chat/completions", "model_id": "judge", "api_key": KEY}


def judge(scores: object, **params: Any) -> dict[str, Any]:
    return {
        "type": "llm-judge",
        "params": {
            "model": {"api_endpoint": ENDPOINT},
            "template": {"messages": [{"role": "user", "content": "{{item.verdict}}"}]},
            "scores": scores,
            **params,
        },
    }


def regex(pattern: str, **parser: str) -> dict[str, Any]:
    return {"type": "int", "parser": {"type": "regex", "pattern": pattern, **parser}}


def verdicts(*texts: str) -> dict[str, Any]:
    """Rows with the judge's verdicts: the judge repeats its prompt."""
    return rows_target(*({"verdict": text} for text in texts))


async def samples(server: Evaluator, job: dict[str, Any]) -> list[dict[str, Any]]:
    result = await server.get(f"jobs/{job['id']}/results")
    kept: list[dict[str, Any]] = result["tasks"]["qa"]["data"]["samples"]
    return kept


async def test_a_judge_reads_what_the_model_answered(server: Evaluator) -> None:
    """The configs that NeMo's own notebooks judge with."""

    async def answer(request: httpx.Request) -> httpx.Response:
        return chat_reply("SIMILARITY: 4") if request.url.host == "judge.test" else await echo(request)

    server.model.answer = answer
    config = chat_config(server.dataset("quiz.json", [{"question": "Capital of France?", "answer": "Paris"}]))
    config["tasks"]["qa"]["metrics"]["score"] = judge(
        {"similarity": regex(r"SIMILARITY: (\d)")},
        template={
            "messages": [
                {"role": "system", "content": "Compare."},
                {"role": "user", "content": "{{item.answer}} with {{sample.output_text}}"},
            ],
            "temperature": 0.1,
            "max_tokens": 64,
        },
    )
    scores = await server.scores(config, model_target(api_key="other"))
    assert (scores["similarity"]["value"], scores["similarity"]["stats"]["count"]) == (4, 1)

    asked, judged = server.model.requests
    assert asked.headers["Authorization"] == "Bearer other"
    assert judged.headers["Authorization"] == f"Bearer {KEY}"
    assert str(judged.url) == ENDPOINT["url"]
    assert server.model.bodies[1] == {
        "model": "judge",
        "messages": [
            {"role": "system", "content": "Compare."},
            {"role": "user", "content": "Paris with Capital of France?"},
        ],
        "temperature": 0.1,
        "max_tokens": 64,
        "stream": False,
    }


RUBRIC = {"rubric": [{"label": "poor", "value": -1}, {"label": "good", "value": 2.5, "description": "helps"}]}


@pytest.mark.parametrize(
    ("score", "verdict", "value"),
    [
        (regex(r"RATING: (\d+)"), "RATING: 7 of 10", 7),
        (regex(r"RATING: (\d+)"), "I say RATING: 7", None),
        (regex(r"RATING: (\d+)", method="search"), "I say RATING: 7, not RATING: 8", 7),
        (regex(r"RATING: (\S+)"), "RATING: 7.0", 7),
        (regex(r"RATING: (\S+)"), "RATING: 7.5", None),
        (regex(r"RATING: (\S+)"), "RATING: inf", None),
        (regex(r"RATING: (\S+)"), "RATING: seven", None),
        (regex(r"(\d)?x"), "x", None),
        (regex(r"(\d)", type="regex") | {"type": "float"}, "7", 7),
        (regex(r"RATING: (\S+)") | {"type": "number"}, "RATING: -7.5", -7.5),
        (regex(r"(\w+)") | RUBRIC, "good enough", 2.5),
        (regex(r"(\w+)") | RUBRIC, "Good", None),
        ({}, '{"rating": 7}', 7),
        ({}, '{"rating": true}', 1),
        ({}, '{"rating": "7"}', None),
        ({}, '{"rating": NaN}', None),
        ({}, '{"quality": 7}', None),
        ({}, "7", None),
        ({}, "Rating: 7", None),
        ({"type": "integer"}, '{"rating": 7.5}', None),
        ({"parser": {"type": "json", "json_path": "a.b"}}, '{"a": {"b": 7}}', 7),
        ({"parser": {"type": "json", "json_path": "$.a"}}, '{"a": 7}', 7),
        (RUBRIC, '{"rating": "poor"}', -1),
        (RUBRIC, '{"rating": ["poor"]}', None),
        (RUBRIC | {"description": "For the prompt."}, '{"rating": "good"}', 2.5),
    ],
)
async def test_what_is_read_from_a_judge_s_answer(
    server: Evaluator, score: dict[str, Any], verdict: str, value: float | None
) -> None:
    config = data_config(judge({"rating": score}))
    target = verdicts(verdict)
    if value is not None:
        assert (await server.scores(config, target))["rating"]["value"] == value
        return
    job = await server.run(config, target)
    assert job["status"] == "failed"
    assert "score 'rating' cannot be read" in job["status_details"]["message"]


async def test_what_cannot_be_read_is_counted_and_explained(server: Evaluator) -> None:
    config = data_config(judge({"a": regex(r"A(\d)"), "b": regex(r".*B(\d)")}))
    target = verdicts("A1 B2", "A3", "nothing", "A2 B4")
    scores = await server.scores(config, target)
    assert scores["a"]["value"] == pytest.approx(2)
    assert (scores["a"]["stats"]["count"], scores["a"]["stats"]["nan_count"]) == (3, 1)
    assert scores["b"]["value"] == pytest.approx(3)
    assert (scores["b"]["stats"]["count"], scores["b"]["stats"]["nan_count"]) == (2, 2)

    job = await server.run(config, target)
    _, second, third, _ = await samples(server, job)
    assert second["scores"]["score"] == {"a": 3, "b": None}
    assert second["error"] == (
        "metric 'score': score 'b' cannot be read: pattern '.*B(\\\\d)' is not at the beginning of 'A3'"
    )
    assert third["scores"]["score"] == {"a": None, "b": None}


async def test_templates_see_the_scores_that_are_asked_for(server: Evaluator) -> None:
    content = "{% for name, score in scores.items() %}{{ name }}: {{ score.description }}{% endfor %}"
    config = data_config(
        judge(
            {"tone": {"description": "5 is best", **regex(r"tone: (\d)")}},
            template={"messages": [{"role": "user", "content": content}]},
        )
    )
    assert (await server.scores(config, verdicts("")))["tone"]["value"] == 5


async def test_a_judge_may_be_named(tmp_path: Any, model: FakeModel) -> None:
    registered = {"strict": RegisteredModel(url="http://judge.test/v1", api_key=KEY)}
    async with evaluator(tmp_path, model, models=registered) as server:
        config = data_config(judge({"rating": {}}, model="strict"))
        assert (await server.scores(config, verdicts('{"rating": 1}')))["rating"]["value"] == 1
        detail = await server.refused(
            400,
            "POST",
            "jobs",
            {"config": data_config(judge({"rating": {}}, model="lax")), "target": verdicts("")},
        )
    assert model.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    assert "model 'lax' is not registered" in detail


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"model": None}, "metric 'score' has no model"),
        ({"model": {}}, "the model of metric 'score' has no api_endpoint"),
        (
            {"model": {"api_endpoint": {"url": "http://judge.test"}}},
            "metric 'score': params.model.api_endpoint.model_id: is required",
        ),
        ({"template": None}, "metric 'llm-judge' needs params.template with messages or prompt"),
        ({"template": {"max_tokens": 3}}, "metric 'llm-judge' needs params.template with messages or prompt"),
        ({"scores": {}}, "params.scores: must not be empty"),
        ({"scores": {"a": {"type": "text"}}}, "params.scores.a.type"),
        ({"scores": {"a": regex("(")}}, "params.scores.a.parser.regex.pattern: not a regular"),
        ({"scores": {"a": regex(r"(\d)" + "{9}" * 9)}}, "not a regular expression: multiple repeat"),
        ({"scores": {"a": regex(r"(\d{99999999999})")}}, "not a regular expression: the repetition number"),
        ({"scores": {"a": regex("(" * 3000 + ")" * 3000)}}, "recursion limit"),
        ({"scores": {"a": regex(r"\d")}}, "the pattern needs a group"),
        ({"scores": {"a": {"rubric": [{"label": "x"}]}}}, "params.scores.a.rubric.0.value: is required"),
        ({"model": {"api_endpoint": ENDPOINT | {"url": "http://locked.test/v1"}}}, "check its api_key"),
    ],
)
async def test_a_judge_that_cannot_judge_is_refused(
    server: Evaluator, change: dict[str, Any], complaint: str
) -> None:
    job = {"config": data_config(judge(**({"scores": {"rating": {}}} | change))), "target": verdicts("")}
    assert complaint in await server.refused(400, "POST", "jobs", job)


async def test_a_judge_that_cannot_be_reached_fails_the_job_before_a_model_is_asked(
    server: Evaluator,
) -> None:
    gone = {"api_endpoint": ENDPOINT | {"url": "http://gone.test/v1"}}
    config = chat_config(server.dataset("quiz.json", [{"question": "yes", "answer": "yes"}]))
    config["tasks"]["qa"]["metrics"]["judged"] = judge({"rating": {}}, model=gone)
    job = await server.run(config, model_target())
    assert job["status"] == "failed"
    assert "'http://gone.test/v1' cannot be reached" in job["status_details"]["message"]
    assert server.model.requests == []


async def test_a_judge_that_fails_costs_its_score_not_the_others(server: Evaluator) -> None:
    async def refuse_one(request: httpx.Request) -> httpx.Response:
        prompt = json.loads(request.content)["messages"][0]["content"]
        if prompt == "refuse":
            return httpx.Response(400, text=f"no use for {KEY}")
        return chat_reply(prompt)

    server.model.answer = refuse_one
    config = data_config(judge({"rating": {}}))
    config["tasks"]["qa"]["metrics"]["length"] = {
        "type": "number-check",
        "params": {"check": ["{{item.verdict | length}}", ">", 3]},
    }
    job = await server.run(config, verdicts('{"rating": 1}', "refuse"))
    result = (await server.get(f"jobs/{job['id']}/results"))["tasks"]["qa"]
    assert result["metrics"]["score"]["scores"]["rating"]["stats"]["nan_count"] == 1
    assert result["metrics"]["length"]["scores"]["number-check"]["stats"]["nan_count"] == 0
    assert result["data"]["samples"][1]["error"] == (
        "metric 'score': model endpoint answered 400: no use for ******"
    )


async def test_a_judge_s_key_is_never_shown(server: Evaluator) -> None:
    config = data_config(judge({"rating": {}})) | {"name": "judged"}
    created = await server.create("configs", config)
    shown = created["tasks"]["qa"]["metrics"]["score"]["params"]["model"]["api_endpoint"]["api_key"]
    assert shown == "******"

    target = await server.create("targets", verdicts('{"rating": 1}', "nothing") | {"name": "rows"})
    body = {"config": "default/judged", "target": f"default/{target['name']}"}
    job = await server.finished((await server.create("jobs", body))["id"])
    assert job["status"] == "completed", job["status_details"]
    assert server.model.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    for path in (
        "configs",
        "configs/default/judged",
        "jobs",
        f"jobs/{job['id']}",
        f"jobs/{job['id']}/results",
    ):
        assert KEY not in json.dumps(await server.get(path))
    left = [path for path in (server.data / "jobs").rglob("*") if path.is_file()]
    assert left
    assert all(KEY.encode() not in path.read_bytes() for path in left)


async def test_a_verdict_beyond_all_sums_counts_as_none_and_costs_no_worker(server: Evaluator) -> None:
    score = judge({"rating": regex(r"RATING: (\S+)") | {"type": "number"}})
    scores = await server.scores(data_config(score), verdicts("RATING: 1e200", "RATING: 3", "RATING: -1e308"))

    assert (scores["rating"]["value"], scores["rating"]["stats"]["count"]) == (3, 1)
    assert scores["rating"]["stats"]["nan_count"] == 2


async def test_the_key_of_a_registered_model_is_masked_if_its_endpoint_repeats_it(tmp_path: Path) -> None:
    async def repeat(request: httpx.Request) -> httpx.Response:
        return chat_reply(f"you sent {request.headers['Authorization']}")

    registered = {"registered": RegisteredModel(url="http://registered.test/v1", api_key=KEY)}
    async with evaluator(tmp_path, FakeModel(answer=repeat), models=registered) as server:
        config = chat_config(server.dataset("quiz.json", [{"question": "yes", "answer": "yes"}]))
        job = await server.run(config, {"type": "model", "model": "registered"})
        (sample,) = await samples(server, job)

    assert sample["output_text"] == "you sent Bearer ******"
