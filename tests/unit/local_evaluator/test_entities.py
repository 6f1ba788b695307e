"""Configs and targets over HTTP: what is kept, what is added, what is hidden, what is refused."""

import re
from typing import Any

import pytest

from nemo_local_evaluator.services.patches import merge_patch
from tests.unit.local_evaluator.harness import (
    Evaluator,
    chat_config,
    data_config,
    model_target,
    rows_target,
    string_check,
)

CONFIG = {"type": "custom", "name": "quiz", "namespace": "team"}
TARGET = {"type": "model", "name": "quiz", "namespace": "team", "model": "meta/llama"}

both = pytest.mark.parametrize(("kind", "body"), [("configs", CONFIG), ("targets", TARGET)])


@both
async def test_is_answered_with_an_id_and_naive_times(
    server: Evaluator, kind: str, body: dict[str, Any]
) -> None:
    created = await server.create(kind, body)
    assert body.items() <= created.items()
    assert re.fullmatch(rf"eval-{kind[:-1]}-[1-9A-HJ-NP-Za-km-z]{{20,22}}", created["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}", created["created_at"])
    assert created["updated_at"] == created["created_at"]
    assert created["custom_fields"] == {}
    assert await server.get(f"{kind}/team/quiz") == created


@both
async def test_absent_fields_are_omitted_and_unknown_ones_kept(
    server: Evaluator, kind: str, body: dict[str, Any]
) -> None:
    created = await server.create(kind, body | {"description": None, "novel": {"a": None}})
    assert "description" not in created
    assert "project" not in created
    assert created["novel"] == {"a": None}


@both
async def test_name_is_generated_where_absent(server: Evaluator, kind: str, body: dict[str, Any]) -> None:
    nameless = {key: value for key, value in body.items() if key not in {"name", "namespace"}}
    created = await server.create(kind, nameless)
    assert (created["namespace"], created["name"]) == ("default", created["id"])


@both
async def test_a_taken_name_is_a_conflict(server: Evaluator, kind: str, body: dict[str, Any]) -> None:
    await server.create(kind, body)
    assert "already exists" in await server.refused(409, "POST", kind, body)
    await server.create(kind, body | {"namespace": "other"})


@both
async def test_a_deleted_one_is_gone(server: Evaluator, kind: str, body: dict[str, Any]) -> None:
    created = await server.create(kind, body)
    reply = await server.http.delete(f"/v1/evaluation/{kind}/team/quiz")
    assert reply.json() == {
        "message": "Resource deleted successfully.",
        "id": created["id"],
        "deleted_at": None,
    }
    for method in ("GET", "PATCH", "DELETE"):
        assert "not found" in await server.refused(404, method, f"{kind}/team/quiz", {})


async def test_datasets_and_models_are_decorated_as_entities(server: Evaluator) -> None:
    task = {"type": "data", "dataset": {"files_url": "file://x.json", "limit": 3}}
    config = await server.create("configs", CONFIG | {"tasks": {"qa": task}})
    dataset = config["tasks"]["qa"]["dataset"]
    assert dataset["files_url"] == "file://x.json"
    assert dataset["limit"] == 3
    assert dataset["id"].startswith("dataset-")
    assert dataset.keys() >= {"schema_version", "namespace", "created_at", "updated_at", "custom_fields"}
    assert (dataset["name"], dataset["version_id"], dataset["version_tags"]) == (dataset["id"], "main", [])

    endpoint = {"url": "http://nim.test/v1/chat/completions", "model_id": "m"}
    target = await server.create("targets", TARGET | {"model": {"api_endpoint": endpoint}})
    assert target["model"]["id"].startswith("model-")
    assert target["model"]["api_endpoint"] == endpoint | {"format": "nim"}


async def test_patch_merges_at_depth_and_keeps_identity(server: Evaluator) -> None:
    params = {"limit_samples": 5, "extra": {"seed": 1, "top_k": 2}}
    before = await server.create("configs", CONFIG | {"params": params, "description": "old"})
    patch = {"params": {"extra": {"seed": 7, "top_k": None}}, "description": None, "id": "mine"}
    reply = await server.http.patch("/v1/evaluation/configs/team/quiz", json=patch)
    after = reply.json()
    assert after["params"] == {"limit_samples": 5, "extra": {"seed": 7}}
    assert "description" not in after
    assert (after["id"], after["created_at"]) == (before["id"], before["created_at"])
    assert after["updated_at"] > before["updated_at"]
    assert await server.get("configs/team/quiz") == after


async def test_patch_checks_what_comes_out_of_it(server: Evaluator) -> None:
    await server.create("configs", CONFIG)
    detail = await server.refused(422, "PATCH", "configs/team/quiz", {"type": None})
    assert [(one["loc"], one["type"]) for one in detail] == [(["body", "type"], "missing")]
    assert "cannot be changed" in await server.refused(400, "PATCH", "configs/team/quiz", {"name": "other"})


def test_merge_patch_is_the_rfc_s() -> None:
    # RFC 7396, appendix A
    assert merge_patch({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}) == {"a": {"b": "d"}}
    assert merge_patch({"a": [{"b": "c"}]}, {"a": [1]}) == {"a": [1]}
    assert merge_patch({"e": None}, {"a": 1}) == {"e": None, "a": 1}
    assert merge_patch({}, {"a": {"bb": {"ccc": None}}}) == {"a": {"bb": {}}}
    assert merge_patch([1, 2], {"a": "b", "c": None}) == {"a": "b"}


async def test_secrets_are_masked_everywhere_and_rows_are_not(server: Evaluator) -> None:
    extra = {"hf_token": "s3cret-1", "rapid_api_key": "s3cret-2", "judge": {"password": "s3cret-3"}}
    config = await server.create(
        "configs", data_config() | CONFIG | {"params": {"max_tokens": 5, "extra": extra}}
    )
    assert config["params"]["extra"] == {
        "hf_token": "******",
        "rapid_api_key": "******",
        "judge": {"password": "******"},
    }
    assert config["params"]["max_tokens"] == 5
    target = await server.create("targets", rows_target({"answer_key": "B", "api_key": "a column"}))
    assert target["rows"] == [{"answer_key": "B", "api_key": "a column"}]

    job = await server.create("jobs", {"config": "team/quiz", "target": rows_target({"x": 1})})
    pages = [await server.get(path) for path in ("configs", "jobs", f"jobs/{job['id']}", "configs/team/quiz")]
    assert "s3cret" not in str([job, *pages])


async def test_asterisks_sent_back_stand_for_the_secret_they_hide(server: Evaluator) -> None:
    target = await server.create("targets", model_target(api_key="s3cret") | {"name": "t"})
    patch = {"model": target["model"], "description": "read, changed and sent back"}
    reply = await server.http.patch("/v1/evaluation/targets/default/t", json=patch)
    assert reply.json()["model"]["api_endpoint"]["api_key"] == "******"
    config = chat_config(server.dataset("quiz.json", [{"question": "q", "answer": "q"}]))
    job = await server.create("jobs", {"config": config, "target": "default/t"})
    await server.finished(job["id"])
    assert server.model.requests[0].headers["Authorization"] == "Bearer s3cret"


async def test_an_invalid_body_is_reported_by_location_and_never_echoed(server: Evaluator) -> None:
    detail = await server.refused(422, "POST", "configs", {"params": {"extra": {"api_key": "s3cret"}}})
    assert detail == [{"loc": ["body", "type"], "msg": "Field required", "type": "missing"}]
    await server.refused(422, "POST", "targets", {"type": "oracle"})
    await server.refused(422, "POST", "configs", CONFIG | {"name": "a/b"})


async def test_one_in_use_cannot_be_deleted_until_the_job_ends(server: Evaluator) -> None:
    await server.create("configs", data_config(string_check("a", "equals", "a")) | {"name": "c"})
    await server.create("targets", rows_target({"x": 1}) | {"name": "t"})
    job = await server.create("jobs", {"config": "default/c", "target": "default/t"})
    # Before the event loop turned to the job: nothing has run yet.
    for kind, name in (("configs", "c"), ("targets", "t")):
        assert job["id"] in await server.refused(409, "DELETE", f"{kind}/default/{name}")
    await server.finished(job["id"])
    assert (await server.http.delete("/v1/evaluation/configs/default/c")).status_code == 200
    assert (await server.get(f"jobs/{job['id']}"))["config"]["name"] == "c"


HALF = "\ud800"
"""Of a surrogate pair: JSON may hold it, UTF-8 cannot."""


@both
async def test_half_a_surrogate_pair_is_kept_as_it_came(
    server: Evaluator, kind: str, body: dict[str, Any]
) -> None:
    odd = {"project": HALF, "custom_fields": {"a": HALF, "b": [HALF]}, "novel": [HALF]}
    created = await server.create(kind, body | odd)
    assert odd.items() <= created.items()
    assert await server.get(f"{kind}/team/quiz") == created


async def test_a_reference_with_half_a_surrogate_pair_leads_nowhere(server: Evaluator) -> None:
    assert "not found" in await server.refused(
        404, "POST", "jobs", {"config": f"team/{HALF}", "target": rows_target({"a": 1})}
    )


async def test_a_number_without_a_float_is_refused(server: Evaluator) -> None:
    params = {"request_timeout": 10**400}
    (said,) = await server.refused(422, "POST", "configs", CONFIG | {"params": params})
    assert said["type"] == "json_invalid"


@pytest.mark.parametrize(
    "endpoint",
    [{"url": "http://127.0.0.1:99999/v1"}, {"url": "http://model.test/v1", "api_key": "k\u00e9y-of-mine"}],
)
async def test_an_endpoint_that_cannot_be_requested_is_refused_before_the_job(
    server: Evaluator, endpoint: dict[str, str]
) -> None:
    target = {"type": "model", "model": {"api_endpoint": endpoint | {"model_id": "m"}}}
    config = chat_config(server.dataset("quiz.json", [{"question": "yes", "answer": "yes"}]))
    said = await server.refused(400, "POST", "jobs", {"config": config, "target": target})
    assert "port beyond 65535" in said or "characters that are not allowed in an HTTP header" in said


async def test_half_a_surrogate_pair_among_params_goes_to_the_model(server: Evaluator) -> None:
    config = chat_config(server.dataset("quiz.json", [{"question": "yes", "answer": "yes"}]))
    job = await server.run(config | {"params": {"stop": [HALF]}}, model_target())

    assert (job["status"], server.model.bodies[0]["stop"]) == ("completed", [HALF])
