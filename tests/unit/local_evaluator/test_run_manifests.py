"""`run` treats manifests as a cluster does, and reads YAML as kubectl does."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from nemo_local_evaluator.oneshot import run_documents
from nemo_local_evaluator.oneshot.kubectl_yaml import KubectlLoader
from nemo_local_evaluator.wire.errors import InvalidDocument

CASES = Path(__file__).with_name("cases")
MANIFESTS = CASES / "run-manifests"


def refused(config: Path, target: Path | str) -> str:
    with pytest.raises(InvalidDocument) as error:
        run_documents(config, str(target), limit=None)
    return str(error.value)


def manifests(path: Path, *documents: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump_all(documents))
    return path


def without_secrets(name: str) -> list[dict[str, Any]]:
    documents = list(yaml.safe_load_all((MANIFESTS / name).read_text()))
    for document in documents:
        document["spec"].pop("valuesFrom", None)
    return documents


def test_sampling_params_of_the_job_override_those_of_the_benchmark(tmp_path: Path) -> None:
    benchmark, job = without_secrets("bench.yaml")
    benchmark["spec"]["config"]["tasks"]["t"]["params"]["template"]["temperature"] = 0.5
    file = manifests(tmp_path / "bench.yaml", benchmark, job)
    config, target = run_documents(file, str(file), limit=3)
    assert config["params"] == {"temperature": 0.1, "max_tokens": 77, "limit_samples": 3}
    template = config["tasks"]["t"]["params"]["template"]
    assert template["temperature"] == 0.1
    assert "max_tokens" not in template
    assert target == job["spec"]["target"]


def test_limit_samples_of_the_job_overrides_that_of_the_benchmark(tmp_path: Path) -> None:
    benchmark, job = without_secrets("bench.yaml")
    benchmark["spec"]["config"]["params"] = {"limit_samples": 50}
    job["spec"].update(limitSamples=5, samplingParams=None)
    file = manifests(tmp_path / "bench.yaml", benchmark, job)
    assert run_documents(file, str(file), limit=None)[0]["params"] == {"limit_samples": 5}
    assert run_documents(file, str(file), limit=7)[0]["params"] == {"limit_samples": 7}


def test_a_dry_run_evaluates_one_sample(tmp_path: Path) -> None:
    benchmark, job = without_secrets("bench.yaml")
    job["spec"].update(dryRun=True, samplingParams=None)
    file = manifests(tmp_path / "bench.yaml", benchmark, job)
    assert run_documents(file, str(file), limit=None)[0]["params"]["limit_samples"] == 1


def test_values_from_secrets_are_refused_with_the_place_to_write_them(tmp_path: Path) -> None:
    said = refused(MANIFESTS / "bench.yaml", MANIFESTS / "model.yaml")
    assert "NemoBenchmark qa in" in said
    assert "spec.valuesFrom[0]" in said
    assert said.endswith("write the value at spec.config.params.extra.seed")
    benchmark, _ = without_secrets("bench.yaml")
    said = refused(manifests(tmp_path / "bench.yaml", benchmark), MANIFESTS / "bench.yaml")
    assert "NemoEvalJob qa-1 in" in said
    assert said.endswith("write the value at spec.target.model.api_endpoint.api_key")


def test_a_misspelt_field_of_a_manifest_is_refused(tmp_path: Path) -> None:
    benchmark, job = without_secrets("bench.yaml")
    job["spec"]["samplingparams"] = job["spec"].pop("samplingParams")
    file = manifests(tmp_path / "bench.yaml", benchmark, job)
    assert "spec.samplingparams is not a field of NemoEvalJob: did you mean samplingParams?" in refused(
        file, file
    )


def test_a_job_of_another_benchmark_is_refused(tmp_path: Path) -> None:
    file = manifests(tmp_path / "mismatch.yaml", *without_secrets("mismatch.yaml"))
    said = refused(file, file)
    assert "spec.benchmarkRef.name is 'other', but CONFIG holds NemoBenchmark qa" in said


def test_a_job_with_a_config_of_its_own_runs_that(tmp_path: Path) -> None:
    inline = MANIFESTS / "inline.yaml"
    config, target = run_documents(inline, str(inline), limit=None)
    assert config["tasks"].keys() == {"t"}
    assert target == {"type": "rows", "rows": [{"a": "1"}]}
    benchmark, _ = without_secrets("bench.yaml")
    assert "has a config of its own" in refused(manifests(tmp_path / "bench.yaml", benchmark), inline)


def test_a_config_s_own_job_samples_too(tmp_path: Path) -> None:
    (job,) = without_secrets("inline.yaml")
    job["spec"]["samplingParams"] = {"top_p": 0.5}
    config, _ = run_documents(manifests(tmp_path / "job.yaml", job), str(MANIFESTS / "rows.json"), limit=None)
    assert config["params"] == {"top_p": 0.5}


def test_a_job_without_a_config_says_whose_to_give() -> None:
    said = refused(MANIFESTS / "model.yaml", MANIFESTS / "model.yaml")
    assert said.endswith("has no spec.config; give the file of NemoBenchmark qa as CONFIG")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"samplingParams": {"temprature": 1}}, "spec.samplingParams.temprature: unknown field"),
        ({"samplingParams": {"top_p": 2}}, "spec.samplingParams.top_p: must be at most 1"),
        ({"limitSamples": 2, "dryRun": True}, "spec.dryRun evaluates one sample of each task: remove"),
        ({"dryRun": "perhaps"}, "spec.dryRun: must be true or false"),
        ({"limitSamples": 0}, "spec.limitSamples: must be at least 1"),
        ({"limitSamples": "5"}, "spec.limitSamples: must be a whole number"),
        ({"model": "echo"}, "set exactly one of spec.model and spec.target"),
        ({"benchmarkRef": {"name": "qa"}}, "set exactly one of spec.benchmarkRef and spec.config"),
        ({"target": None}, "set exactly one of spec.model and spec.target"),
        ({"target": "team/llama"}, "spec.target: must be an object"),
        ({"valuesFrom": "hub"}, "spec.valuesFrom: must be a list"),
    ],
)
def test_a_spec_that_no_cluster_accepts_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    (job,) = without_secrets("inline.yaml")
    job["spec"].update(change)
    file = manifests(tmp_path / "job.yaml", job)
    assert said in refused(file, file)


def test_two_configs_are_not_one() -> None:
    said = refused(MANIFESTS / "two.yaml", MANIFESTS / "rows.json")
    assert said.endswith("holds 2 documents; expected one, or one NemoBenchmark")


def test_yaml_is_read_as_kubectl_reads_it() -> None:
    dialect = CASES / "yaml-dialect"
    config, _ = run_documents(dialect / "config.yaml", str(dialect / "target.json"), limit=None)
    assert config["params"] == {"temperature": 1e-5, "top_p": 1e-5}
    assert config["tasks"]["t"]["metrics"]["m"]["params"]["check"] == ["{{ item.at }}", "equals", "12:30"]


# What go-yaml 2.4 (sigs.k8s.io/yaml 1.6) and the conversion to JSON make of each.
SCALARS: dict[str, object] = {
    **dict.fromkeys(("y", "Y", "yes", "on", "True", "TRUE"), True),
    **dict.fromkeys(("n", "N", "no", "OFF", "false"), False),
    **dict.fromkeys(("~", "null", "NULL", ""), None),
    **{
        text: text
        for text in ("12:30", "1:30.5", "2026-11-24", "2026-11-24 10:00:00", "1.2.3", "=", "e5", "_1")
    },
    "'y'": "y",
    '"1e-5"': "1e-5",
    "!!str 12": "12",
    "tRUE": "tRUE",
    "0x": "0x",
    "12e": "12e",
    "nan": "nan",
    "1e-5": 1e-5,
    "-.5": -0.5,
    "1.5E+3": 1500,
    "1e3": 1000,
    "1.0": 1,
    "5.": 5,
    "09": 9,
    "-0.0": 0,
    "017": 15,
    "0o17": 15,
    "0x1F": 31,
    "0b11": 3,
    "1_000": 1000,
    "+12": 12,
    "0": 0,
    "9223372036854775808": 2.0**63,
}


@pytest.mark.parametrize("text", SCALARS)
def test_a_plain_scalar_is_what_kubectl_makes_of_it(text: str) -> None:
    value = yaml.load(f"value: {text}", KubectlLoader)["value"]  # noqa: S506 - derived from SafeLoader
    assert (value, type(value)) == (SCALARS[text], type(SCALARS[text]))


def test_keys_are_texts_as_in_json() -> None:
    text = "1: a\ntrue: b\nnull: c\nw: &w {x: 1}\nm: {<<: *w, x: 2}"
    expected = {"1": "a", "true": "b", "null": "c", "w": {"x": 1}, "m": {"x": 2}}
    assert yaml.load(text, KubectlLoader) == expected  # noqa: S506


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("type: custom\ntype: gsm8k", "key 'type' is already set in this mapping"),
        ("type: custom\nparams: {a: 1, 'a': 2}", "key 'a' is already set in this mapping"),
        (
            json.dumps({"type": "custom"})[:-1] + ', "type": "gsm8k"}',
            "key 'type' is already set in this mapping",
        ),
        ("type: custom\nparams: {temperature: .inf}", "JSON has no number .inf"),
        ("type: custom\nparams: {? [a] : 1}", "a key is an object or a list"),
    ],
)
def test_what_kubectl_cannot_read_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    assert said in refused(tmp_path / "config.yaml", MANIFESTS / "rows.json")


QUESTIONS = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "questions"},
    "data": {"q.jsonl": '{"x": 1}\n', "q.csv": "x\n1\n", "rows": '[{"x": 1}]', "notes": "hello"},
}


def referring(key: str = "q.jsonl", **dataset: Any) -> dict[str, Any]:
    return {"configMapRef": {"name": "questions", "key": key}, **dataset}


def with_dataset(tmp_path: Path, dataset: dict[str, Any], *documents: dict[str, Any]) -> Path:
    benchmark, job = without_secrets("bench.yaml")
    benchmark["spec"]["config"]["tasks"]["t"]["dataset"] = dataset
    return manifests(tmp_path / "bench.yaml", benchmark, job, *documents)


@pytest.mark.parametrize(
    ("key", "media_type"),
    [("q.jsonl", "application/jsonl"), ("q.csv", "text/csv"), ("rows", "application/json")],
)
def test_rows_come_from_a_config_map_in_the_same_file(tmp_path: Path, key: str, media_type: str) -> None:
    file = with_dataset(tmp_path, referring(key, limit=1), QUESTIONS)
    config, _ = run_documents(file, str(file), limit=None)
    dataset = config["tasks"]["t"]["dataset"]
    assert dataset["limit"] == 1
    assert dataset["files_url"].startswith(f"data:{media_type};base64,")
    assert "configMapRef" not in dataset


def test_rows_of_a_target_come_from_either_file(tmp_path: Path) -> None:
    job, target = without_secrets("inline.yaml")[0], {"type": "dataset", "dataset": referring()}
    job["spec"].update(target=target, model=None)
    job["spec"]["config"]["tasks"] = {"t": {"type": "data", "dataset": referring()}}
    file = manifests(tmp_path / "job.yaml", QUESTIONS, job)
    config, read = run_documents(file, str(file), limit=None)
    assert read["dataset"]["files_url"] == config["tasks"]["t"]["dataset"]["files_url"]
    alone = tmp_path / "target.yaml"
    alone.write_text(json.dumps(target))
    assert run_documents(file, str(alone), limit=None)[1] == read


@pytest.mark.parametrize(
    ("dataset", "documents", "said"),
    [
        (
            referring(),
            [],
            "tasks.t.dataset.configMapRef: ConfigMap questions is not in the files given",
        ),
        (referring("other"), [QUESTIONS], "ConfigMap questions has no text with the key 'other' in data"),
        (referring("notes"), [QUESTIONS], "key 'notes' is neither JSON nor JSON lines"),
        (referring(files_url="x"), [QUESTIONS], "set exactly one of files_url and configMapRef"),
        ({"configMapRef": {"name": "questions"}}, [QUESTIONS], "needs the name and key of a ConfigMap"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused(
    tmp_path: Path, dataset: dict[str, Any], documents: list[dict[str, Any]], said: str
) -> None:
    file = with_dataset(tmp_path, dataset, *documents)
    assert said in refused(file, file)
