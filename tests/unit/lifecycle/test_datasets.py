"""configMapRef: where specs have one, what is sent in its place, and what is recorded."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.lifecycle.requests import (
    AllowedHosts,
    DatasetRows,
    UnusableDataset,
    UnusableSpec,
    UnusableTargetPath,
    check_hosts,
    check_places,
    check_size,
    config_body,
    dataset_refs,
    job_body,
    measured_config,
    rows_in,
    with_rows,
    with_rows_recorded,
)
from nemo_eval_operator.lifecycle.requests.dataset_rows import MAX_DATASET_BYTES
from nemo_eval_operator.lifecycle.requests.datasets import MAX_RECORDED_BYTES, MAX_REFS
from nemo_eval_operator.nemo import ConfigMapKeyRef
from nemo_eval_operator.resources import NemoBenchmark, NemoEvalJob
from tests.unit.lifecycle.objects import benchmark, evaljob

ROWS: list[JsonObject] = [{"q": "Capital of France?", "a": "Paris"}, {"q": "2 + 2", "a": "4"}]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)
REF = {"configMapRef": {"name": "questions", "key": "q.jsonl"}}
KEY = ConfigMapKeyRef(name="questions", key="q.jsonl")
READ = {KEY: rows_in(LINES, "q.jsonl")}


def of_task(dataset: Any, **config: Any) -> dict[str, Any]:
    return {"type": "custom", "tasks": {"qa": {"type": "data", "dataset": dataset}}} | config


def config_of(thing: NemoBenchmark) -> Any:
    return config_body(thing, {})


def body_of(job: NemoEvalJob, of: NemoBenchmark | None = None) -> Any:
    return job_body(job, of, nonce="n", secrets={}, benchmark_secrets={})


def rows_of_url(url: str) -> list[JsonObject]:
    head, _, data = url.partition(",")
    assert head == "data:application/jsonl;base64"
    return [json.loads(line) for line in base64.b64decode(data).decode().splitlines()]


def test_the_dataset_of_a_task_is_sent_as_a_data_url_and_keeps_its_other_fields() -> None:
    sent = config_of(with_rows(benchmark(config=of_task(REF | {"limit": 1, "format": "beir", "x": 1})), READ))
    dataset = sent["tasks"]["qa"]["dataset"]
    assert rows_of_url(dataset.pop("files_url")) == ROWS
    assert dataset == {"limit": 1, "format": "beir", "x": 1}


def test_a_target_of_type_dataset_is_sent_as_one_of_type_rows() -> None:
    target = {"type": "dataset", "dataset": REF, "description": "ours"}
    body = body_of(with_rows(evaljob(target=target), READ), benchmark())
    assert body["target"] == {"type": "rows", "rows": ROWS, "description": "ours"}


def test_the_limit_of_a_target_s_dataset_holds_for_its_rows() -> None:
    target = {"type": "dataset", "dataset": REF | {"limit": 1}}
    assert body_of(with_rows(evaljob(target=target), READ), benchmark())["target"]["rows"] == ROWS[:1]


def test_every_place_of_a_dataset_may_have_one() -> None:
    target = {
        "type": "rag",
        "retriever": {"dataset": REF},
        "rag": {
            "dataset": REF,
            "pipeline": {"retriever": {"dataset": REF}, "model": "m"},
        },
    }
    job = evaljob(config=of_task(REF), target=target)
    assert list(dataset_refs(job)) == [
        "spec.config.tasks.qa.dataset.configMapRef",
        "spec.target.retriever.dataset.configMapRef",
        "spec.target.rag.dataset.configMapRef",
        "spec.target.rag.pipeline.retriever.dataset.configMapRef",
    ]
    assert "configMapRef" not in json.dumps(body_of(with_rows(job, READ)))


def test_without_a_reference_nothing_changes() -> None:
    bench = benchmark(config=of_task({"files_url": "file://rows.jsonl"}))
    assert with_rows(bench, {}) is bench
    assert with_rows_recorded(bench, {}) is bench


def test_the_object_itself_keeps_its_reference() -> None:
    bench = benchmark(config=of_task(REF))
    with_rows(bench, READ)
    assert config_of(bench)["tasks"]["qa"]["dataset"] == REF


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        (
            {"type": "rows", "rows": [], "dataset": REF},
            "spec.target.dataset.configMapRef is not used by a target of type rows",
        ),
        (
            {"type": "dataset", "dataset": REF | {"split": "test"}},
            "spec.target.dataset: split cannot be sent",
        ),
        (
            {"type": "dataset", "dataset": REF | {"files_url": "file://x"}},
            "spec.target.dataset: set exactly one of files_url and configMapRef",
        ),
        (
            {"type": "rag", "rag": {"dataset": REF | {"files_url": "file://x"}}},
            "spec.target.rag.dataset: set exactly one of",
        ),
    ],
)
def test_what_cannot_be_sent_is_refused_by_its_path(target: dict[str, Any], problem: str) -> None:
    with pytest.raises(UnusableDataset) as refused:
        with_rows(evaljob(target=target), READ)
    assert problem in str(refused.value)


def test_all_datasets_of_an_object_are_bounded_together() -> None:
    half = DatasetRows("{}\n" * (MAX_DATASET_BYTES // 6 + 1), 1)
    tasks = {name: {"type": "data", "dataset": REF} for name in "ab"}
    with pytest.raises(UnusableDataset, match="and may have 1,048,576 together"):
        with_rows(benchmark(config={"type": "custom", "tasks": tasks}), {KEY: half})


@pytest.mark.parametrize(
    ("row", "count", "problem"),
    [
        ("{}", 10_001, "50,005 commas and brackets, and may have 50,000"),
        ('{"a":"ü"}', 80_000, "bytes, and may"),
    ],
)
def test_rows_of_a_target_fit_into_an_answer_about_the_job(row: str, count: int, problem: str) -> None:
    read = {KEY: DatasetRows(f"{row}\n" * count, count)}
    job = evaljob(target={"type": "dataset", "dataset": REF})
    with pytest.raises(UnusableDataset) as refused:
        with_rows(job, read)
    assert problem in str(refused.value)
    limited = evaljob(target={"type": "dataset", "dataset": REF | {"limit": 5}})
    assert len(body_of(with_rows(limited, read), benchmark())["target"]["rows"]) == 5


def test_those_of_a_job_and_its_benchmark_are_bounded_together() -> None:
    half = {KEY: DatasetRows("{}\n" * (MAX_DATASET_BYTES // 6 + 1), 1)}
    job, bench = evaljob(target={"type": "dataset", "dataset": REF}), benchmark(config=of_task(REF))
    check_size((bench, half))
    with pytest.raises(UnusableDataset, match=r"NemoBenchmark qa: .*, NemoEvalJob qa-llama: spec\.target"):
        check_size((bench, half), (job, half))


def test_so_is_their_number() -> None:
    tasks = {f"t{number}": {"type": "data", "dataset": REF} for number in range(MAX_REFS + 1)}
    with pytest.raises(UnusableDataset, match="spec has 17 datasets with a configMapRef, and may have 16"):
        dataset_refs(benchmark(config={"type": "custom", "tasks": tasks}))


class TestRecorded:
    def recorded(self, read: DatasetRows, ref: dict[str, Any] = REF) -> tuple[Any, str]:
        key = ConfigMapKeyRef.model_validate(ref["configMapRef"])
        bench = with_rows_recorded(benchmark(config=of_task(ref)), {key: read})
        measured = measured_config(evaljob(), bench, secret_paths=(), hide=lambda value: value)
        assert measured.config is not None
        return json.loads(measured.config)["tasks"]["qa"]["dataset"], measured.hash

    def test_a_few_rows_are_recorded_as_they_are(self) -> None:
        assert self.recorded(READ[KEY])[0] == {"rows": ROWS}

    def test_of_many_there_are_count_and_digest(self) -> None:
        many = rows_in("".join(json.dumps({"q": f"question {n}"}) + "\n" for n in range(2_000)), "q.jsonl")
        assert len(many.text) > MAX_RECORDED_BYTES
        assert self.recorded(many)[0] == {"rows": {"count": 2_000, "sha256": many.sha256}}

    def test_the_hash_covers_the_rows_and_not_where_they_stood(self) -> None:
        other = {"configMapRef": {"name": "other", "key": "q.csv"}}
        assert self.recorded(READ[KEY])[1] == self.recorded(READ[KEY], other)[1]
        assert self.recorded(READ[KEY])[1] != self.recorded(rows_in(LINES.replace("4", "5"), "q.jsonl"))[1]


def test_an_allow_list_of_hosts_lets_rows_through_and_no_host_in_disguise() -> None:
    allowed = AllowedHosts(["models.example.com"])
    check_hosts({"config": config_of(with_rows(benchmark(config=of_task(REF)), READ))}, allowed)
    for url in (
        "data://evil.example.com/x",
        "data:a/b;base64,http://evil.example.com",
        " data:a/b;base64,e30=",
    ):
        with pytest.raises(UnusableSpec):
            check_hosts({"config": {"tasks": {"qa": {"dataset": {"files_url": url}}}}}, allowed)


def test_a_secret_cannot_name_a_config_map() -> None:
    source = {
        "secretKeyRef": {"name": "s", "key": "k"},
        "targetPath": "tasks.qa.dataset.configMapRef.name",
    }
    with pytest.raises(UnusableTargetPath, match="a ConfigMap is named in the manifest"):
        check_places(benchmark(config=of_task(REF), valuesFrom=[source]))
