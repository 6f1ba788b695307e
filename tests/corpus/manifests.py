"""Invalid and extreme manifests, and what the API server or the operator reports for them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Spec = dict[str, Any]

API_VERSION = "evaluator.nemo.dev/v1alpha1"
MIB = 1024**2


@dataclass(frozen=True)
class Manifest:
    """One manifest. Without a `reason` it is refused where it is applied, and `said` is part of why.

    With one, it is taken, and the object's condition ends with that reason and says `said`.
    """

    name: str
    kind: str
    text: str
    said: str
    reason: str | None = None


def benchmark(**spec: Any) -> Spec:
    return {"kind": "NemoBenchmark", "spec": {"config": {"type": "gsm8k"}} | spec}


def config(**fields: Any) -> Spec:
    return benchmark(config={"type": "custom"} | fields)


def run(**spec: Any) -> Spec:
    return {"kind": "NemoEvalJob", "spec": {"config": {"type": "gsm8k"}, "model": "meta/llama"} | spec}


def aimed(target: Any) -> Spec:
    return {"kind": "NemoEvalJob", "spec": {"config": {"type": "gsm8k"}, "target": target}}


def from_secret(path: str, *, name: str = "hub", key: str = "token", **more: Any) -> list[Spec]:
    return [{"secretKeyRef": {"name": name, "key": key}, "targetPath": path} | more]


def nested(depth: int, *, lists: bool = False) -> str:
    """Stands for objects (or lists) within each other."""
    return f"deep {depth} [ ]" if lists else f"deep {depth} {{'a': }}"


def data_run(**parts: Any) -> Spec:
    """A run that the local evaluator would finish, but for `parts` of its one task."""
    check = {"type": "string-check", "params": {"check": ["{{item.a}}", "equals", "{{item.b}}"]}}
    task = {"type": "data", "metrics": {"m": check}} | parts
    rows = {"type": "rows", "rows": [{"a": "1", "b": "1"}]}
    return {
        "kind": "NemoEvalJob",
        "spec": {"config": {"type": "custom", "tasks": {"t": task}}, "target": rows},
    }


def asked(files_url: str) -> Spec:
    """A run that asks a model about the data at `files_url`."""
    metric = {"type": "string-check", "params": {"check": ["{{sample.output_text}}", "equals", "x"]}}
    template = {"messages": [{"role": "user", "content": "{{item.question}}"}]}
    task = {"type": "chat-completion", "params": {"template": template}, "metrics": {"m": metric}}
    tasks = {"t": task | {"dataset": {"files_url": files_url}}}
    return {"kind": "NemoEvalJob", "spec": {"config": {"type": "custom", "tasks": tasks}, "model": "parrot"}}


REFUSED: dict[str, tuple[Spec, str]] = {
    "no spec": ({"kind": "NemoBenchmark"}, "spec: Required value"),
    "spec null": ({"kind": "NemoEvalJob", "spec": None}, "spec: Required value"),
    "spec as a list": ({"kind": "NemoEvalJob", "spec": []}, "spec in body must be of type object"),
    "spec as text": ({"kind": "NemoBenchmark", "spec": "gsm8k"}, "spec in body must be of type object"),
    "config as text": (benchmark(config="gsm8k"), "spec.config in body must be of type object"),
    "config as a list": (benchmark(config=[]), "spec.config in body must be of type object"),
    "config null": (benchmark(config=None), "spec.config: Required value"),
    "type as a number": (benchmark(config={"type": 8}), "spec.config.type in body must be of type string"),
    "type of 513 characters": (benchmark(config={"type": "x" * 513}), "spec.config.type: Too long"),
    "tasks as a list": (config(tasks=["data"]), "spec.config.tasks in body must be of type object"),
    "a task as text": (config(tasks={"t": "data"}), "spec.config.tasks.t in body must be of type object"),
    "metrics as a list": (
        config(tasks={"t": {"type": "d", "metrics": []}}),
        "metrics in body must be of type object",
    ),
    "1,025 tasks": (
        config(tasks={f"t{n}": {"type": "d"} for n in range(1_025)}),
        "spec.config.tasks: Too many",
    ),
    "params as text": (config(params="fast"), "spec.config.params in body must be of type object"),
    "temperature as text": (
        config(params={"temperature": "hot"}),
        "params.temperature in body must be of type number",
    ),
    "tokens by halves": (
        config(params={"max_tokens": 0.5}),
        "params.max_tokens in body must be of type integer",
    ),
    "tokens beyond number": (config(params={"max_tokens": 10**30}), "max_tokens"),
    "extra as a list": (config(params={"extra": []}), "params.extra in body must be of type object"),
    "custom_fields as text": (config(custom_fields="none"), "custom_fields in body must be of type object"),
    "a misspelt field": (config(taskz={}), 'unknown field "spec.config.taskz"'),
    "Kubernetes' spelling": (config(customFields={}), 'unknown field "spec.config.customFields"'),
    "a config name up the tree": (config(name="../../jobs"), "name: begin it with a letter or digit"),
    "a config name of dots": (config(name=".."), "name: begin it with a letter or digit"),
    "a config name of many scripts": (
        config(name="a/b %2F?#é 你好"),
        "name: begin it with a letter or digit",
    ),
    "neither benchmark nor config": (
        {"kind": "NemoEvalJob", "spec": {"model": "m"}},
        "set exactly one of spec.benchmarkRef",
    ),
    "benchmark and config": (run(benchmarkRef={"name": "qa"}), "set exactly one of spec.benchmarkRef"),
    "no model": ({"kind": "NemoEvalJob", "spec": {"config": {"type": "x"}}}, "set exactly one of spec.model"),
    "a model that is empty": (run(model=""), "spec.model"),
    "a model that is a list": (run(model=["m"]), "spec.model in body must be of type string"),
    "a reference up the tree": (
        {"kind": "NemoEvalJob", "spec": {"benchmarkRef": {"name": "../secrets/x"}, "model": "m"}},
        "spec.benchmarkRef.name",
    ),
    "a target as text": (aimed("meta/llama"), "spec.target in body must be of type object"),
    "a target of no known type": (aimed({"type": "oracle"}), 'Unsupported value: "oracle"'),
    "a target without its content": (aimed({"type": "rag"}), "target.type rag needs target.rag"),
    "rows as an object": (
        aimed({"type": "rows", "rows": {}}),
        "spec.target.rows in body must be of type array",
    ),
    "rows of text": (
        aimed({"type": "rows", "rows": ["a"]}),
        "spec.target.rows[0] in body must be of type object",
    ),
    "10,001 rows": (aimed({"type": "rows", "rows": [{}] * 10_001}), "spec.target.rows: Too many"),
    "a deadline in the past": (run(activeDeadlineSeconds=-1), "spec.activeDeadlineSeconds"),
    "a deadline as text": (
        run(activeDeadlineSeconds="5m"),
        "activeDeadlineSeconds in body must be of type integer",
    ),
    "suspend as text": (run(suspend="yes"), "spec.suspend in body must be of type boolean"),
    "an unknown policy": (run(deletionPolicy="Maybe"), "spec.deletionPolicy: Unsupported value"),
    "sampling beyond 1": (run(samplingParams={"top_p": 2}), "spec.samplingParams.top_p"),
    "valuesFrom as an object": (benchmark(valuesFrom={}), "spec.valuesFrom in body must be of type array"),
    "valuesFrom nowhere": (
        benchmark(valuesFrom=[{"targetPath": "a"}]),
        "spec.valuesFrom[0].secretKeyRef: Required",
    ),
    "a Secret up the tree": (
        benchmark(valuesFrom=from_secret("a", name="../x")),
        "valuesFrom[0].secretKeyRef.name",
    ),
    "65 Secrets": (benchmark(valuesFrom=from_secret("a") * 65), "spec.valuesFrom: Too many"),
    "a path to no part": (run(valuesFrom=from_secret("params.x")), "starts with config. or target."),
    "a path of dots": (benchmark(valuesFrom=from_secret("params..x")), "spec.valuesFrom[0].targetPath"),
    "a path with a negative index": (
        benchmark(valuesFrom=from_secret("tasks[-1]")),
        "spec.valuesFrom[0].targetPath",
    ),
    "a path that breaks off": (benchmark(valuesFrom=from_secret("tasks[")), "spec.valuesFrom[0].targetPath"),
    "2 MiB of text": (config(params={"extra": {"x": "x" * 2 * MIB}}), "large"),
}

RAW_REFUSED: dict[str, tuple[str, str]] = {
    "an alias bomb": (
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(
            f"{this}: &{this} [{','.join([f'*{last}'] * 9)}]\n"
            for last, this in zip("abcdefg", "bcdefgh", strict=True)
        ),
        "",
    ),
    "lists without end": (
        json.dumps({"apiVersion": API_VERSION, "kind": "NemoBenchmark"})[:-1] + ', "spec": ' + "[" * 20_000,
        "",
    ),
    "no YAML": ("\x00\x01\x02", ""),
    "a name in capitals": (
        json.dumps({"apiVersion": API_VERSION, "metadata": {"name": "QA"}} | benchmark()),
        "Invalid value",
    ),
    "NaN": (
        json.dumps(
            {"apiVersion": API_VERSION, "metadata": {"name": "nan"}} | config(params={"top_p": float("nan")})
        ),
        "",
    ),
}

REPORTED: dict[str, tuple[Spec, str, str]] = {
    "a model by number": (aimed({"type": "model", "model": 5}), "InvalidSpec", "spec.target.model"),
    "a model by list": (aimed({"type": "model", "model": ["m"]}), "InvalidSpec", "spec.target.model"),
    "a dataset by truth": (
        data_run(dataset=True),
        "InvalidSpec",
        "spec.config.tasks.t.dataset",
    ),
    "stop by number": (config(params={"stop": 5}), "InvalidSpec", "spec.config.params.stop"),
    "a pipeline of numbers": (
        aimed(
            {
                "type": "retriever",
                "retriever": {"pipeline": {"query_embedding_model": 1, "index_embedding_model": 2}},
            }
        ),
        "InvalidSpec",
        "spec.target.retriever.pipeline.query_embedding_model",
    ),
    "a path through text": (
        run(valuesFrom=from_secret("config.type.x")),
        "InvalidSpec",
        "spec.valuesFrom[0].targetPath 'config.type.x': 'config.type' is not an object",
    ),
    "a path beyond a list": (
        benchmark(valuesFrom=from_secret("tasks.t.params.list[5]")),
        "InvalidSpec",
        "'tasks.t.params.list' has only 0 items",
    ),
    "an index into an object": (
        config(params={"extra": {}})
        | {
            "spec": {
                "config": {"type": "a", "params": {"extra": {}}},
                "valuesFrom": from_secret("params.extra[0]"),
            }
        },
        "InvalidSpec",
        "'params.extra' is not a list",
    ),
    "a Secret that is not there": (
        run(valuesFrom=from_secret("config.params.extra.x", name="nowhere")),
        "SecretNotFound",
        "/nowhere with key 'token' is needed for config.params.extra.x: it does not exist",
    ),
    "a key that is not there": (
        benchmark(valuesFrom=from_secret("params.extra.x", key="nothing")),
        "SecretNotFound",
        "/hub with key 'nothing' is needed for params.extra.x",
    ),
    "a benchmark that is not there": (
        {"kind": "NemoEvalJob", "spec": {"benchmarkRef": {"name": "nowhere"}, "model": "m"}},
        "BenchmarkNotFound",
        "there is no NemoBenchmark nowhere",
    ),
    "20 objects deep": (config(params={"extra": nested(20)}), "ConfigReady", ""),
    "300 objects deep": (
        config(params={"extra": nested(300)}),
        "InvalidSpec",
        "spec.config.params.extra",
    ),
    "300 lists deep": (
        config(params={"extra": {"x": nested(300, lists=True)}}),
        "InvalidSpec",
        "spec.config.params.extra.x",
    ),
    "5,000 objects deep": (
        config(params={"extra": nested(5_000)}),
        "InvalidSpec",
        "spec.config.params.extra",
    ),
    "a job 300 deep": (
        run(config={"type": "x", "params": {"extra": nested(300)}}),
        "InvalidSpec",
        "spec.config.params.extra",
    ),
    "200 KiB of text": (config(params={"extra": {"x": "x" * (200 * 1024)}}), "ConfigReady", ""),
    "a mebibyte of text": (
        config(params={"extra": {"x": "x" * MIB}}),
        "ObjectTooLarge",
        "bytes, and at most 262,144 are read",
    ),
    "9,000 keys": (config(params={"extra": {f"k{n}": n for n in range(9_000)}}), "ConfigReady", ""),
    "20,000 keys": (
        config(params={"extra": {f"k{n}": n for n in range(20_000)}}),
        "ObjectTooLarge",
        "bytes, and at most 262,144 are read",
    ),
    "a key of 100,000 characters": (config(params={"extra": {"k" * 100_000: 1}}), "ConfigReady", ""),
    "control characters": (
        config(description="\x00\x1b[31m\u202e", params={"extra": {"\x07": "\x00"}}),
        "ConfigReady",
        "",
    ),
    "numbers at the edge": (
        config(params={"extra": {"a": 1e308, "b": -(2**63), "c": 1e-320, "d": 0.1}}),
        "ConfigReady",
        "",
    ),
    "a task of no kind": (data_run(type="telepathy"), "EvaluationFailed", "telepathy"),
    "a metric of no kind": (data_run(metrics={"m": {"type": "vibes"}}), "EvaluatorRejected", "vibes"),
    "a file that is not there": (asked("file://nowhere.jsonl"), "EvaluatorRejected", "nowhere.jsonl"),
    "a file up the tree": (asked("file://../../../etc/passwd"), "EvaluatorRejected", "passwd"),
    "a template that is none": (
        data_run(metrics={"m": {"type": "string-check", "params": {"check": ["{{item.a", "equals", "x"]}}}),
        "EvaluatorRejected",
        "{{item.a",
    ),
}


def _manifests() -> Iterator[Manifest]:
    for number, (name, (parts, said)) in enumerate(REFUSED.items()):
        yield Manifest(name, parts["kind"], _text(f"refused-{number}", parts), said)
    for name, (text, said) in RAW_REFUSED.items():
        yield Manifest(name, "NemoBenchmark", text, said)
    for number, (name, (parts, reason, said)) in enumerate(REPORTED.items()):
        yield Manifest(name, parts["kind"], _text(f"reported-{number}", parts), said, reason)


def _text(name: str, parts: Spec) -> str:
    text = json.dumps({"apiVersion": API_VERSION, "metadata": {"name": name}} | parts)
    # The encoder gives up at a depth of a thousand, so what is deep is put in as text.
    return re.sub(r'"deep (\d+) (\S+) (\S+)"', lambda deep: _nested(int(deep[1]), deep[2], deep[3]), text)


def _nested(depth: int, opening: str, closing: str) -> str:
    opening = opening.replace("'", '"')
    return opening * depth + "1" + closing * depth


MANIFESTS: tuple[Manifest, ...] = tuple(_manifests())
