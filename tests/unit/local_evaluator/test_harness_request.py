"""What lm-eval is asked, given NeMo's params."""

from pathlib import Path
from typing import Any

import pytest

from nemo_local_evaluator.harness import NEMO_TYPES, Request, request_of
from nemo_local_evaluator.models import Endpoint
from nemo_local_evaluator.wire.errors import EvaluationError
from nemo_local_evaluator.wire.schemas import Params
from tests.unit.local_evaluator.harness import Evaluator, model_target, rows_target

CHAT = "http://nim.test/v1/chat/completions"
COMPLETIONS = "http://nim.test/v1/completions"

# As recorded of a gsm8k job.
RECORDED: dict[str, Any] = {
    "temperature": 0.00001,
    "top_p": 0.00001,
    "max_tokens": 256,
    "stop": ["<|eot|>"],
    "extra": {
        "num_fewshot": 8,
        "batch_size": 16,
        "bootstrap_iters": 100000,
        "dataset_seed": 42,
        "use_greedy": True,
        "top_k": 1,
        "hf_token": "hf_x",
        "tokenizer_backend": "hf",
        "tokenizer": "meta-llama/llama-3.1-8B-Instruct",
        "apply_chat_template": True,
        "fewshot_as_multiturn": True,
    },
}


def asked(url: str = CHAT, **params: Any) -> Request:
    endpoint = Endpoint(url=url, model_id="tiny", api_key="s3cret", timeout=7, retries=2)
    return request_of("gsm8k", ["gsm8k"], Params(**params), endpoint, parallelism=9)


def test_recorded_params_are_passed_on() -> None:
    assert asked(**RECORDED, limit_samples=5) == {
        "type": "gsm8k",
        "tasks": ["gsm8k"],
        "model": "local-chat-completions",
        "model_args": {
            "tokenizer_backend": "none",
            "model": "tiny",
            "base_url": CHAT,
            "num_concurrent": 9,
            "timeout": 7,
            "max_retries": 3,
        },
        "gen_kwargs": {
            "max_gen_toks": 256,
            "temperature": 0.00001,
            "top_p": 0.00001,
            "until": ["<|eot|>"],
            "top_k": 1,
            "do_sample": False,
        },
        "options": {
            "random_seed": 42,
            "numpy_random_seed": 42,
            "torch_random_seed": 42,
            "fewshot_random_seed": 42,
            "num_fewshot": 8,
            "batch_size": 16,
            "bootstrap_iters": 100000,
            "apply_chat_template": True,
            "fewshot_as_multiturn": True,
            "limit": 5,
        },
        "config_types": ["agentic", "custom", "rag", "retriever", "similarity_metrics"],
        "task_directories": [],
    }


def test_no_secret_is_in_a_request() -> None:
    request = str(asked(**RECORDED))
    assert "hf_x" not in request
    assert "s3cret" not in request


def test_a_completions_endpoint_needs_the_tokenizer_that_is_named() -> None:
    named = asked(COMPLETIONS, extra={"tokenizer": "meta-llama/Llama-3.1-8B", "tokenizer_backend": "hf"})
    assert named["model"] == "local-completions"
    assert named["model_args"]["tokenizer"] == "meta-llama/Llama-3.1-8B"
    assert named["model_args"]["tokenizer_backend"] == "huggingface"
    assert asked(COMPLETIONS)["model_args"]["tokenizer_backend"] == "none"


def test_a_tokenizer_may_be_a_directory_that_the_server_allows(tmp_path: Path) -> None:
    inside, outside = tmp_path / "allowed" / "llama", tmp_path / "outside"
    for directory in (inside, outside):
        directory.mkdir(parents=True)
    (tmp_path / "allowed" / "link").symlink_to(outside)
    (inside / "tokenizer.json").touch()

    def model_args(tokenizer: str) -> dict[str, Any]:
        params = Params(extra={"tokenizer": tokenizer})
        endpoint = Endpoint(url=COMPLETIONS, model_id="tiny", api_key=None, timeout=7, retries=2)
        tasks = ["gsm8k"]
        allowed = [tmp_path / "allowed"]
        request = request_of("gsm8k", tasks, params, endpoint, parallelism=9, tokenizers=allowed)
        return request["model_args"]

    named = model_args(str(inside))
    assert (named["tokenizer"], named["tokenizer_backend"]) == (str(inside), "huggingface")
    refused = (
        outside,
        tmp_path / "allowed" / "link",
        tmp_path / "allowed" / ".." / "outside",
        inside / "tokenizer.json",
        inside / "missing",
        "/\0",
    )
    for path in refused:
        with pytest.raises(EvaluationError, match="tokenizer is not in an allowed directory"):
            model_args(str(path))


@pytest.mark.parametrize(
    ("url", "model_type", "model", "called"),
    [
        (CHAT, None, "local-chat-completions", CHAT),
        (COMPLETIONS, None, "local-completions", COMPLETIONS),
        ("http://nim.test/v1", None, "local-chat-completions", CHAT),
        ("http://nim.test/v1", "completions", "local-completions", COMPLETIONS),
        ("http://nim.test/any", "completions", "local-completions", "http://nim.test/any"),
    ],
)
def test_the_url_says_what_kind_of_endpoint_it_is(
    url: str, model_type: str | None, model: str, called: str
) -> None:
    request = asked(url, extra={"model_type": model_type})
    assert (request["model"], request["model_args"]["base_url"]) == (model, called)


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ({"model_type": "completions"}, "is an endpoint for chat"),
        ({"apply_chat_template": False}, "apply_chat_template cannot be false"),
        ({"num_fewshots": 3, "tempo": 1}, "num_fewshots (unknown field), tempo"),
        ({"confirm_run_unsafe_code": True}, "confirm_run_unsafe_code"),
        ({"trust_remote_code": True}, "trust_remote_code"),
        ({"base_url": "http://attacker.test"}, "base_url"),
        ({"use_cache": "cache"}, "use_cache"),
        ({"tokenizer": "/etc/model"}, "tokenizer"),
        ({"tokenizer": "../model"}, "tokenizer"),
    ],
)
def test_what_cannot_be_passed_on_is_refused_by_name(extra: dict[str, Any], named: str) -> None:
    with pytest.raises(EvaluationError) as refusal:
        asked(extra=extra)
    assert named in str(refusal.value)


def test_a_refusal_does_not_repeat_values() -> None:
    with pytest.raises(EvaluationError) as refusal:
        asked(extra={"hf_tokken": "s3cret", "num_fewshot": "s3cret"})
    assert "s3cret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        ("'detailed thinking on'", "detailed thinking on"),
        ('"detailed thinking on"', "detailed thinking on"),
        ("detailed thinking on", "detailed thinking on"),
        ("Don't think", "Don't think"),
        ("'yes' or 'no'", "'yes' or 'no'"),
        ("'yes\"", "'yes\""),
        ("'", "'"),
        ("''", ""),
        ("", ""),
    ],
)
def test_quotes_around_a_system_instruction_are_removed(given: str, passed: str) -> None:
    assert asked(extra={"system_instruction": given})["options"]["system_instruction"] == passed


BFCL: dict[str, Any] = {
    "type": "bfclv3",
    "params": {"extra": {"rapid_api_key": "s3cret"}},
    "tasks": {"task1": {"type": "simple"}},
}


async def test_a_type_of_another_harness_is_what_the_job_fails_for(server: Evaluator) -> None:
    job = await server.run(BFCL, model_target())
    assert job["status"] == "failed"
    assert job["status_details"]["message"] == (
        "config type 'bfclv3' is a benchmark of BFCL, which this server does not run; it has those of lm-eval"
    )


async def test_a_misspelt_type_of_nemo_is_reported_with_the_likely_one(server: Evaluator) -> None:
    tasks = {"qa": {"type": "data", "metrics": {"m": {"type": "em"}}}}
    body = {"config": {"type": "cutsom", "tasks": tasks}, "target": rows_target({"a": 1})}
    detail = await server.refused(400, "POST", "jobs", body)
    assert detail.endswith("NeMo Evaluator has no type 'cutsom' of its own: did you mean custom?")


@pytest.mark.parametrize("kind", NEMO_TYPES)
async def test_a_type_of_nemo_is_not_taken_for_a_task_of_lm_eval(server: Evaluator, kind: str) -> None:
    body = {"config": {"type": kind}, "target": rows_target({"a": 1})}
    assert "calls a model" not in await server.refused(400, "POST", "jobs", body)


async def test_another_fault_of_a_config_begins_with_how_its_type_is_taken(server: Evaluator) -> None:
    body = {"config": {**BFCL, "type": "bfcl9"}, "target": model_target()}
    detail = await server.refused(400, "POST", "jobs", body)
    assert "config type 'bfcl9' is taken for a benchmark of lm-eval: params.extra has" in detail


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"groups": {"all": {"tasks": ["gsm8k"]}}}, "groups are not supported"),
        ({"tasks": {"a": {"type": "gsm8k", "dataset": "file://a.jsonl"}}}, "tasks.a.dataset has no effect"),
        ({"tasks": {"a": {"type": "gsm8k", "params": {"k": 1}}}}, "tasks.a.params has no effect"),
        (
            {"tasks": {"a": {"type": "gsm8k", "metrics": {"m": {"type": "em"}}}}},
            "tasks.a.metrics has no effect",
        ),
        ({"tasks": {"a": {"type": "/etc/gsm8k.yaml"}}}, "'/etc/gsm8k.yaml' is a file path"),
    ],
)
async def test_what_lm_eval_would_ignore_is_refused(
    server: Evaluator, config: dict[str, Any], named: str
) -> None:
    job = await server.run({"type": "gsm8k", **config}, model_target(), skip_checks=True)
    assert job["status"] == "failed"
    assert named in job["status_details"]["message"]
