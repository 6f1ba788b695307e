"""A secret was given for one address: a PATCH that changes the address does not take the secret along."""

from typing import Any

import pytest

from tests.unit.local_evaluator.harness import Evaluator, chat_config, data_config, model_target

ELSEWHERE = "http://attacker.test/v1"
KEY = "s3cret-of-team"

masked_or_absent = pytest.mark.parametrize("sent", [{}, {"api_key": "******"}], ids=["absent", "masked"])


async def changed(server: Evaluator, path: str, patch: dict[str, Any]) -> dict[str, Any]:
    response = await server.http.patch(f"/v1/evaluation/{path}", json=patch)
    assert response.status_code == 200, response.text
    document: dict[str, Any] = response.json()
    return document


async def authorization(server: Evaluator) -> str | None:
    """What the model is sent when the target is used."""
    config = chat_config(server.dataset("quiz.json", [{"question": "q", "answer": "q"}]))
    job = await server.create("jobs", {"config": config, "target": "default/t"})
    await server.finished(job["id"])
    sent: str | None = server.model.requests[-1].headers.get("Authorization")
    return sent


@masked_or_absent
async def test_a_key_does_not_follow_its_endpoint_to_another_url(
    server: Evaluator, sent: dict[str, str]
) -> None:
    await server.create("targets", model_target(api_key=KEY) | {"name": "t"})
    endpoint = {"url": ELSEWHERE, **sent}
    answer = await changed(server, "targets/default/t", {"model": {"api_endpoint": endpoint}})
    assert answer["model"]["api_endpoint"] == {"url": ELSEWHERE, "model_id": "tiny", "format": "nim"}
    assert await authorization(server) is None
    # Nor does it come back with the old URL.
    await changed(
        server, "targets/default/t", {"model": {"api_endpoint": model_target()["model"]["api_endpoint"]}}
    )
    assert await authorization(server) is None


@pytest.mark.parametrize("key", ["another-key", KEY])
async def test_a_key_that_comes_with_the_new_url_is_used(server: Evaluator, key: str) -> None:
    await server.create("targets", model_target(api_key=KEY) | {"name": "t"})
    endpoint = {"url": ELSEWHERE, "api_key": key}
    answer = await changed(server, "targets/default/t", {"model": {"api_endpoint": endpoint}})
    assert answer["model"]["api_endpoint"]["api_key"] == "******"
    assert await authorization(server) == f"Bearer {key}"


async def test_a_key_stays_where_something_else_changes(server: Evaluator) -> None:
    await server.create("targets", model_target(api_key=KEY) | {"name": "t"})
    await changed(server, "targets/default/t", {"model": {"api_endpoint": {"model_id": "other"}}})
    assert await authorization(server) == f"Bearer {KEY}"


def judged(url: str, **endpoint: str) -> dict[str, Any]:
    return {"model": {"api_endpoint": {"url": url, "model_id": "judge", **endpoint}}}


@masked_or_absent
async def test_a_judge_s_key_stays_behind_too(server: Evaluator, sent: dict[str, str]) -> None:
    metric = {"type": "llm-judge", "params": judged("http://judge.test/v1", api_key=KEY)}
    await server.create("configs", data_config(metric) | {"name": "c"})
    params = judged(ELSEWHERE, **sent)
    answer = await changed(
        server, "configs/default/c", {"tasks": {"qa": {"metrics": {"score": {"params": params}}}}}
    )
    assert "api_key" not in answer["tasks"]["qa"]["metrics"]["score"]["params"]["model"]["api_endpoint"]


async def test_secrets_in_lists_and_below_their_address_stay_behind(server: Evaluator) -> None:
    extra = {
        "judges": [
            {"base_url": "http://one.test", "api_key": "key-of-one"},
            {"base_url": "http://two.test", "api_key": "key-of-two"},
        ],
        "search": {"endpoint": "http://search.test", "login": {"password": "s3cret"}},
        "hf_token": "hf-token",
    }
    await server.create("configs", {"type": "gsm8k", "name": "c", "params": {"extra": extra}})
    masked = [{"base_url": judge["base_url"], "api_key": "******"} for judge in extra["judges"]]  # type: ignore[index]
    patch = {"judges": masked[::-1], "search": {"endpoint": ELSEWHERE}}
    answer = await changed(server, "configs/default/c", {"params": {"extra": patch}})
    assert answer["params"]["extra"] == {
        "judges": [{"base_url": "http://two.test"}, {"base_url": "http://one.test"}],
        "search": {"endpoint": ELSEWHERE, "login": {}},
        "hf_token": "******",
    }


async def test_a_dataset_s_token_does_not_follow_it_to_another_hub(server: Evaluator) -> None:
    dataset = {"files_url": "hf://datasets/team/quiz", "hf_token": KEY}
    await server.create("targets", {"type": "dataset", "dataset": dataset, "name": "t"})
    answer = await changed(server, "targets/default/t", {"dataset": {"hf_endpoint": "http://attacker.test"}})
    assert "hf_token" not in answer["dataset"]
