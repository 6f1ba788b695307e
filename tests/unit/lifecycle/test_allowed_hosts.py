"""Which hosts a spec may have the evaluator call, where the administrator has an allow-list."""

from __future__ import annotations

from typing import Any

import pytest

from nemo_eval_operator.lifecycle.requests import AllowedHosts, HostNotAllowed, check_hosts

ALLOWED = AllowedHosts(["*.models.svc", "nim.example.com", "10.0.0.7", "[fd00::7]"])


def target(url: str, **more: Any) -> dict[str, Any]:
    return {"target": {"type": "model", "model": {"api_endpoint": {"url": url, "model_id": "m", **more}}}}


def judge(url: str) -> dict[str, Any]:
    return {"params": {"judge": {"model": {"api_endpoint": {"url": url, "model_id": "j"}}}}}


def refusal(parts: dict[str, Any], **options: Any) -> str | None:
    try:
        check_hosts(parts, ALLOWED, **options)
    except HostNotAllowed as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    "url",
    [
        "http://llama.models.svc:8000/v1/chat/completions",
        "https://a.b.models.svc",
        "HTTPS://NIM.example.com./v1?x=y#z",
        "nim.example.com:443/v1",
        "http://10.0.0.7/v1",
        "http://[fd00::7]:80/",
        "",
    ],
)
def test_a_host_that_a_pattern_matches_is_allowed(url: str) -> None:
    assert refusal(target(url)) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://evil.test/v1",
        "http://models.svc/",
        "http://evilmodels.svc/",
        "http://llama.models.svc.evil.test/",
        "http://nim.example.com@evil.test/",
        "http://nim.example.com:80@evil.test/",
        "http://nim.example.com:pw@evil.test/",
        r"http://evil.test\@nim.example.com/",
        r"\\evil.test\v1",
        "//evil.test/v1",
        "http:evil.test/v1",
        "http:/evil.test/v1",
        "ht\ttp://evil.test/",
        " http://evil.test/",
        "http://evil.test\n.nim.example.com/",
        "http://nim.example.com/\r\nHost: evil.test",
        "http://nim。example。com.evil.test/",
        "http://evil.test%2f.models.svc/",
        "http://[::ffff:10.0.0.8]/",
        "http://167772167/",
        "http://{{ host }}/",
        "{{ url }}",
        "evil.test:80",
        "ftp://nim.example.com/",
        "gopher://evil.test/",
        "http://nim.example.com/" + "a" * 9000,
    ],
)
def test_any_other_url_is_refused_by_its_path(url: str) -> None:
    message = refusal(target(url))
    assert message is not None
    assert message.startswith("spec.target.model.api_endpoint.url: ")
    assert "NEMO_ALLOWED_MODEL_HOSTS" in message


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        (
            {"config": {"tasks": {"rows": {"metrics": {"m": judge("http://evil.test")}}}}},
            "config.tasks.rows.metrics.m.params.judge.model.api_endpoint.url",
        ),
        (
            {"config": {"tasks": {"custom_fields": {"params": {"x": ["http://evil.test"]}}}}},
            "config.tasks.custom_fields.params.x[0]",
        ),
        (
            {"config": {"groups": {"g": {"metrics": {"m": judge("//evil.test")}}}}},
            "config.groups.g.metrics.m.params.judge.model.api_endpoint.url",
        ),
        (
            {"config": {"tasks": {"t": {"dataset": {"files_url": "https://evil.test/data.jsonl"}}}}},
            "config.tasks.t.dataset.files_url",
        ),
        (
            {"config": {"tasks": {"t": {"dataset": {"files_url": "hf://d", "hf_endpoint": "evil.test"}}}}},
            "config.tasks.t.dataset.hf_endpoint",
        ),
        (
            {
                "target": {
                    "rag": {"pipeline": {"retriever": {"pipeline": {"query_embedding_model": "http://e"}}}}
                }
            },
            "target.rag.pipeline.retriever.pipeline.query_embedding_model",
        ),
        ({"config": {"params": {"extra": {"anything": "wss://evil.test"}}}}, "config.params.extra.anything"),
        (
            {"config": {"params": {"extra": {"model_args": "model=m,base_url=http://evil.test/v1,x=1"}}}},
            "config.params.extra.model_args",
        ),
        ({"config": {"params": {"extra": {"judgeHost": "evil.test"}}}}, "config.params.extra.judgeHost"),
        ({"config": {"params": {"extra": {"urls": [["evil.test"]]}}}}, "config.params.extra.urls[0][0]"),
    ],
)
def test_a_url_is_found_wherever_it_is(parts: dict[str, Any], path: str) -> None:
    message = refusal(parts)
    assert message is not None
    assert message.startswith(f"spec.{path}: ")


@pytest.mark.parametrize(
    "parts",
    [
        {"target": {"type": "rows", "rows": [{"url": "http://evil.test", "text": "see http://evil.test"}]}},
        {"config": {"custom_fields": {"dashboard_url": "http://evil.test"}}},
        {"config": {"tasks": {"t": {"dataset": {"files_url": "hf://datasets/a/b"}}}}},
        {"config": {"tasks": {"t": {"dataset": {"files_url": "file://fiqa/"}}}}},
        {"config": {"tasks": {"t": {"dataset": "team/data"}}}},
        {"target": {"type": "model", "model": "meta/llama-3.1-8b-instruct"}},
        {
            "config": {
                "tasks": {
                    "t": {
                        "params": {"template": {"messages": [{"content": "https://a.test says: {{item.q}}"}]}}
                    }
                }
            }
        },
        {"config": {"params": {"extra": {"model_args": "base_url=http://a.models.svc/v1,model=m"}}}},
        {"config": {"params": {"extra": {"num_fewshot": 8, "x": None, "y": True}}}},
    ],
)
def test_names_data_and_prompts_are_not_urls(parts: dict[str, Any]) -> None:
    assert refusal(parts) is None


def test_a_message_names_the_host_and_what_is_allowed() -> None:
    assert refusal(target("http://evil.test/v1")) == (
        "spec.target.model.api_endpoint.url: host evil.test is not allowed. This operator allows "
        "*.models.svc, nim.example.com, 10.0.0.7, fd00::7: use one of these hosts, or ask the administrator "
        "to add yours to NEMO_ALLOWED_MODEL_HOSTS"
    )


def test_what_a_secret_holds_is_not_in_the_message() -> None:
    message = refusal(target("http://canary.test/v1"), secret_paths=["target.model.api_endpoint.url"])
    assert message is not None
    assert "canary" not in message
    assert message.startswith(
        "spec.target.model.api_endpoint.url: the host of the URL that valuesFrom puts here"
    )


def test_without_a_list_every_host_is_allowed() -> None:
    check_hosts(target("http://evil.test"), AllowedHosts())


@pytest.mark.parametrize("pattern", ["", "*", "http://a", "a:80", "a.*", "a b", "*.", "-a", "a/b"])
def test_what_is_not_a_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="is not a host pattern"):
        AllowedHosts([pattern])


def test_a_very_long_text_is_searched_in_one_pass() -> None:
    """A search in quadratic time would take hours."""
    parts = {"config": {"params": {"extra": {"x": "a" * 1_000_000, "url": "a" * 1_000_000}}}}
    assert refusal(parts) is not None
