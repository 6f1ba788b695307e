"""`kubectl nemoeval import`: manifests that have all of a document, or a refusal that names the field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from nemo_eval_operator.plugin.main import run_command_line
from nemo_eval_operator.resources import NemoBenchmark, NemoEvalJob

CONFIG = {
    "type": "custom",
    "name": "qa",
    "namespace": "default",
    "params": {"parallelism": 4, "temperature": 0.5, "extra": {"num_fewshot": 8}},
    "tasks": {
        "qa": {
            "type": "chat-completion",
            "params": {"template": {"messages": [{"role": "user", "content": "{{ item.question }}"}]}},
            "dataset": {"files_url": "hf://datasets/team/qa", "limit": 50},
            "metrics": {"em": {"type": "string-check", "params": {"check": ["a", "equals", "b"]}}},
        }
    },
}
ENDPOINT = {"url": "http://nim.test/v1/chat/completions", "model_id": "meta/llama-3.1-8b-instruct"}
TARGET = {"type": "model", "model": {"api_endpoint": {**ENDPOINT, "format": "openai"}}}
UNNAMED = {key: value for key, value in CONFIG.items() if key not in {"name", "namespace"}}
LAUNCHER: dict[str, Any] = {
    "defaults": [{"execution": "local"}, {"deployment": "none"}, "_self_"],
    "execution": {"output_dir": "results"},
    "target": {"api_endpoint": {**ENDPOINT, "type": "chat"}},
    "evaluation": {
        "nemo_evaluator_config": {"config": {"params": {"parallelism": 8, "limit_samples": 10}}},
        "tasks": [
            {"name": "ifeval"},
            {
                "name": "gpqa_diamond",
                "nemo_evaluator_config": {"config": {"params": {"max_new_tokens": 64, "parallelism": 1}}},
            },
        ],
    },
}


class Imported:
    """What the command printed."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def manifests(self) -> list[dict[str, Any]]:
        assert self.code == 0, self.err
        found = list(yaml.safe_load_all(self.out))
        kinds = {"NemoBenchmark": NemoBenchmark, "NemoEvalJob": NemoEvalJob}
        for one in found:
            kinds[one["kind"]].model_validate(one)
        return found


@pytest.fixture
def do_import(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(document: Any, *words: str, text: str | None = None) -> Imported:
        path = tmp_path / "file.yaml"
        path.write_text(text or yaml.safe_dump(document))
        code = run_command_line(["import", str(path), *words])
        printed = capsys.readouterr()
        return Imported(code, printed.out, printed.err)

    return run


def test_a_config_becomes_a_benchmark_with_all_that_it_has(do_import: Any) -> None:
    done = do_import(CONFIG)
    (found,) = done.manifests
    assert found["kind"] == "NemoBenchmark"
    assert found["metadata"] == {"name": "qa"}
    assert found["spec"] == {"config": CONFIG}
    assert "evaluator.nemo.dev/adopt=true" in done.err
    assert "note: the config's namespace default is one of NeMo: the manifests are applied to" in done.err
    assert do_import(None, text=json.dumps(CONFIG)).manifests == [found]


def test_what_the_evaluator_wrote_into_an_answer_is_left_out_and_named(do_import: Any) -> None:
    answer = CONFIG | {"id": "eval-config-1", "created_at": "2025-07-08T19:39:55", "description": None}
    done = do_import(answer)
    assert done.manifests[0]["spec"] == {"config": CONFIG}
    assert "id is left out: the evaluator writes it itself" in done.err


def test_a_job_body_with_a_config_of_its_own_becomes_one_run(do_import: Any) -> None:
    (found,) = do_import({"config": UNNAMED, "target": TARGET}, "--name", "qa-llama").manifests
    assert (found["kind"], found["metadata"]) == ("NemoEvalJob", {"name": "qa-llama"})
    assert found["spec"] == {"config": UNNAMED, "target": TARGET}


def test_a_job_body_with_a_stored_config_becomes_a_benchmark_and_a_run(do_import: Any) -> None:
    stored, run = do_import({"config": CONFIG, "target": TARGET, "status": "completed"}).manifests
    assert stored["spec"]["config"] == CONFIG
    assert run["metadata"]["name"] == "qa-run"
    assert run["spec"] == {"benchmarkRef": {"name": "qa"}, "target": TARGET}


def test_a_registration_of_llama_stack_is_what_its_provider_sends(do_import: Any) -> None:
    registration = {
        "benchmark_id": "My_Bench",
        "dataset_id": "data",
        "scoring_functions": [],
        "provider_id": "nvidia",
        "metadata": UNNAMED,
    }
    done = do_import(registration)
    (found,) = done.manifests
    assert found["metadata"]["name"] == "my-bench"
    assert found["spec"]["config"] == UNNAMED | {"namespace": "nvidia", "name": "My_Bench"}
    assert "dataset_id has no effect" in done.err
    assert "scoring_functions" not in done.err


def test_each_task_of_a_launcher_config_becomes_a_benchmark_and_a_run(do_import: Any) -> None:
    done = do_import(LAUNCHER)
    names = [(one["kind"], one["metadata"]["name"]) for one in done.manifests]
    assert names == [
        ("NemoBenchmark", "ifeval"),
        ("NemoEvalJob", "ifeval-run"),
        ("NemoBenchmark", "gpqa-diamond"),
        ("NemoEvalJob", "gpqa-diamond-run"),
    ]
    first, run, second, _ = done.manifests
    assert first["spec"]["config"] == {"type": "ifeval", "params": {"parallelism": 8, "limit_samples": 10}}
    assert second["spec"]["config"]["params"] == {"parallelism": 1, "limit_samples": 10, "max_tokens": 64}
    assert run["spec"]["target"]["model"] == {"api_endpoint": ENDPOINT}
    assert "execution has no effect" in done.err
    assert done.err.count("target.api_endpoint.type is left out: NeMo Evaluator reads it off the end") == 1


def test_an_api_key_of_a_launcher_config_comes_from_a_secret(do_import: Any) -> None:
    target = {"api_endpoint": {**ENDPOINT, "api_key_name": "NGC_API_KEY"}}
    refused = do_import(LAUNCHER | {"target": target})
    assert refused.code == 64
    assert "target.api_endpoint.api_key_name: name the Secret" in refused.err
    done = do_import(LAUNCHER | {"target": target}, "--api-key-secret", "keys", "--name", "night")
    run = done.manifests[1]
    command = 'kubectl create secret generic keys --from-literal=NGC_API_KEY="$NGC_API_KEY"'
    assert f"`{command}`" in done.err
    assert "type is left out" not in done.err
    assert run["metadata"]["name"] == "night-ifeval-run"
    assert run["spec"]["valuesFrom"] == [
        {
            "secretKeyRef": {"name": "keys", "key": "NGC_API_KEY"},
            "targetPath": "target.model.api_endpoint.api_key",
        }
    ]


def test_a_field_may_be_left_out_on_purpose(do_import: Any) -> None:
    body = {"config": UNNAMED, "target": TARGET, "description": "nightly"}
    refused = do_import(body, "--name", "qa")
    assert refused.code == 64
    assert "description: a NemoEvalJob has no field for it" in refused.err
    done = do_import(body, "--name", "qa", "--ignore", "description")
    assert len(done.manifests) == 1
    assert "description is left out, as --ignore says" in done.err


@pytest.mark.parametrize(
    ("changed", "value", "field"),
    [
        ("evaluation.tasks.1.env_vars", {"HF_TOKEN": "T"}, "evaluation.tasks[1].env_vars"),
        (
            "evaluation.tasks.0.nemo_evaluator_config",
            {"target": {"api_endpoint": {"adapter_config": {"use_system_prompt": True}}}},
            "evaluation.tasks[0].nemo_evaluator_config.target",
        ),
        (
            "evaluation.tasks.0.overrides",
            {"target.api_endpoint.url": "x"},
            "evaluation.tasks[0].overrides.target.api_endpoint.url",
        ),
    ],
)
def test_the_path_of_a_refused_field_can_be_left_out(
    do_import: Any, changed: str, value: Any, field: str
) -> None:
    document = with_(LAUNCHER, changed, value)
    assert f"{field}: " in do_import(document).err
    done = do_import(document, "--ignore", field)
    assert done.code == 0
    assert f"{field} is left out, as --ignore says" in done.err
    assert len(done.manifests) == 2 * len(LAUNCHER["evaluation"]["tasks"])


def with_(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a copy with a value put in at a dotted path."""
    copy: dict[str, Any] = json.loads(json.dumps(document))
    *steps, last = path.split(".")
    node: Any = copy
    for step in steps:
        node = node[int(step)] if step.isdigit() else node[step]
    node[last] = value
    return copy


JOB = {"config": CONFIG, "target": TARGET}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([1], "expected an object"),
        ({"what": 1}, "expected a config with type"),
        ({"apiVersion": "v1", "kind": "Pod"}, "kind: this is a Pod manifest already"),
        (UNNAMED, "name: the config has none: use --name"),
        (with_(CONFIG, "tasks.qa.metric", {}), "tasks.qa.metric: has no place in the manifest"),
        (with_(CONFIG, "params.parallelism", 0), "params.parallelism: must be at least 1"),
        (with_(CONFIG, "params.parallelism", "4"), "params.parallelism: has no place"),
        (with_(CONFIG, "params.extra.hf_token", "******"), "params.extra.hf_token: the evaluator has masked"),
        (with_(JOB, "config", "default/qa"), "config: is the name of a config in the evaluator"),
        (with_(JOB, "target", "default/llama"), "target: is the name of a target in the evaluator"),
        (with_(JOB, "target.type", "modle"), "target.type: 'modle' is not one of model, "),
        (with_(JOB, "target.modle", {"a": 1}), "target.modle: has no place in the manifest"),
        (with_(JOB, "project", "urn:1"), "project: a NemoEvalJob has no field for it"),
        ({"benchmark_id": "b", "metadata": {}}, "metadata.type: is required"),
        ({"benchmark_id": "b", "provider_id": "other", "metadata": {"type": "a"}}, "provider_id: only"),
        ({"benchmark_id": "b", "metadata": {"type": "a", "odd": 1}}, "metadata.odd: has no place"),
        (with_(LAUNCHER, "deployment", {"type": "vllm"}), "deployment: the operator deploys no models"),
        (with_(LAUNCHER, "defaults.1.deployment", "vllm"), "defaults[1].deployment: the operator deploys"),
        (with_(LAUNCHER, "export", {"a": 1}), "export: NeMo Evaluator's API has no field"),
        (with_(LAUNCHER, "evaluation.env_vars", {"A": "B"}), "evaluation.env_vars: NeMo Evaluator's API"),
        (with_(LAUNCHER, "evaluation.tasks", []), "evaluation.tasks: at least one"),
        (
            with_(LAUNCHER, "evaluation", [{"name": "a"}]),
            "evaluation: is a list: write it as evaluation.tasks",
        ),
        (
            with_(LAUNCHER, "evaluation.tasks", ["mmlu"]),
            "evaluation.tasks[0]: is a name only: write {name: mmlu}",
        ),
        (with_(LAUNCHER, "evaluation.tasks.1.name", "ifeval"), "evaluation.tasks[1].name: an earlier task"),
        (with_(LAUNCHER, "evaluation.tasks.0.env_vars", {"A": "B"}), "evaluation.tasks[0].env_vars"),
        (
            with_(LAUNCHER, "evaluation.tasks.0.overrides", {"config.params.task": "x"}),
            "evaluation.tasks[0].overrides.config.params.task: NeMo Evaluator's API",
        ),
        (
            with_(LAUNCHER, "evaluation.tasks.0.overrides", {"target.api_endpoint.url": "x"}),
            "evaluation.tasks[0].overrides.target.api_endpoint.url",
        ),
        (
            with_(LAUNCHER, "target.api_endpoint.adapter_config", {"a": 1}),
            "target.api_endpoint.adapter_config: NeMo Evaluator's API",
        ),
        (
            with_(LAUNCHER, "target.api_endpoint.type", "vlm"),
            "target.api_endpoint.type: NeMo Evaluator's API has chat and completions endpoints, not vlm",
        ),
        (
            with_(LAUNCHER, "target.api_endpoint.type", "completions"),
            "target.api_endpoint.type: completions does not fit",
        ),
        (with_(LAUNCHER, "target.api_endpoint.url", "${oc.env:URL}"), "target.api_endpoint.url: ${oc.env"),
    ],
)
def test_what_cannot_be_mapped_is_refused_with_the_fields_path(
    do_import: Any, document: Any, message: str
) -> None:
    done = do_import(document)
    assert (done.code, done.out, done.err.count("\n")) == (64, "", 1)
    assert f"file.yaml: {message}" in done.err


def test_each_note_says_that_it_is_one(do_import: Any) -> None:
    done = do_import(CONFIG | {"id": "eval-config-1"})
    assert done.code == 0
    assert [line.partition(": ")[0] for line in done.err.splitlines()] == ["note"] * 3


def test_a_wrong_command_line_is_refused(do_import: Any) -> None:
    assert "--name: 'No Name' cannot be the name" in do_import(CONFIG, "--name", "No Name").err
    assert "a.b: --ignore names a field" in do_import(CONFIG, "--ignore", "a.b").err
    assert "tasks[9].name: --ignore" in do_import(LAUNCHER, "--ignore", "evaluation.tasks[9].name").err
    assert "not YAML" in do_import(None, text="{").err
