"""What a gate says of a baseline that measured another config, as far as both configs can be read."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from nemo_eval_operator.kube import KubeClient, KubeError, KubeForbidden, KubeRefused, KubeUnavailable
from nemo_eval_operator.lifecycle.job import Judged
from nemo_eval_operator.reconcile.job.evidence import EvidenceStore
from nemo_eval_operator.reconcile.job.gate import GateJudge
from nemo_eval_operator.resources import NemoEvalJob
from tests.unit.gates.documents import NAME, document, stats
from tests.unit.lifecycle.objects import evaljob, finished
from tests.unit.reconcile.api_server import CONFIG_MAPS, ApiServer

RESULTS = {"job": "eval-1", "groups": {}, **document(stats([1.0, 0.0, 1.0]))}
BEFORE = {"type": "custom", "params": {"max_tokens": 32, "temperature": 0}}
AFTER = {"type": "custom", "params": {"max_tokens": 64}}
GATE = {"criteria": [{"score": NAME, "maxDrop": 0.1}], "baseline": {"jobRef": {"name": "prod"}}}
WITHOUT_FIELDS = "compare config.json in the two results ConfigMaps"


def put_run(server: ApiServer, name: str, config: Any, **spec: Any) -> NemoEvalJob:
    text = json.dumps(config)
    digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    status = finished(
        benchmark={"name": "qa", "generation": 1, "hash": digest},
        resultsRef={"configMap": f"{name}-results", "key": "results.json"},
    )
    job = evaljob(meta={"name": name, "uid": f"uid-of-{name}"}, status=status, **spec)
    server.put("nemoevaljobs", name, job.to_manifest())
    server.documents[f"{CONFIG_MAPS}/{name}-results"] = {
        "metadata": {"name": f"{name}-results"},
        "data": {"results.json": json.dumps(RESULTS), "config.json": text},
    }
    return job


async def message(server: ApiServer, job: NemoEvalJob) -> str:
    found = (await GateJudge(server.client, EvidenceStore(server.client)).judge(job, may_wait=False)).found
    assert isinstance(found, Judged)
    (criterion,) = found.judgement.criteria
    assert criterion.reason == "BenchmarkDiffers"
    return criterion.message


async def test_the_first_fields_that_differ_are_named_with_both_values() -> None:
    server = ApiServer()
    put_run(server, "prod", BEFORE)
    job = put_run(server, "new", AFTER, gate=GATE)

    assert await message(server, job) == (
        "BenchmarkDiffers: the baseline prod and this run measured different configs: "
        "params.max_tokens: 32 and 64; params.temperature: 0 and not set"
    )


@pytest.mark.parametrize("which", ["prod", "new"])
@pytest.mark.parametrize("kept", [None, {}, {"config.json": "{"}, {"config.json": json.dumps({"x": 1})}])
async def test_a_config_that_is_missing_or_was_replaced_is_not_quoted(
    which: str, kept: dict[str, str] | None
) -> None:
    server = ApiServer()
    put_run(server, "prod", BEFORE)
    job = put_run(server, "new", AFTER, gate=GATE)
    own = {"results.json": json.dumps(RESULTS)}
    if kept is None and which == "prod":
        del server.documents[f"{CONFIG_MAPS}/prod-results"]
    else:
        server.config_map(f"{which}-results")["data"] = own | (kept or {})

    assert (await message(server, job)).endswith(WITHOUT_FIELDS)


async def test_a_config_of_more_than_its_limit_is_not_compared() -> None:
    server = ApiServer()
    put_run(server, "prod", {"note": "x" * 64 * 1024})
    job = put_run(server, "new", AFTER, gate=GATE)

    assert (await message(server, job)).endswith(WITHOUT_FIELDS)


def refuse_config_maps(monkeypatch: pytest.MonkeyPatch, error: type[KubeError], name: str) -> None:
    read = KubeClient.read_config_map

    async def refused(kube: KubeClient, namespace: str, of: str) -> Any:
        if of == name:
            raise error("no")
        return await read(kube, namespace, of)

    monkeypatch.setattr(KubeClient, "read_config_map", refused)


@pytest.mark.parametrize("error", [KubeForbidden, KubeRefused])
async def test_a_config_that_may_not_be_read_is_not_compared(
    monkeypatch: pytest.MonkeyPatch, error: type[KubeError]
) -> None:
    server = ApiServer()
    put_run(server, "prod", BEFORE)
    job = put_run(server, "new", AFTER, gate=GATE)
    refuse_config_maps(monkeypatch, error, "prod-results")

    assert (await message(server, job)).endswith(WITHOUT_FIELDS)


async def test_a_verdict_waits_until_kubernetes_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    server = ApiServer()
    put_run(server, "prod", BEFORE)
    job = put_run(server, "new", AFTER, gate=GATE)
    refuse_config_maps(monkeypatch, KubeUnavailable, "prod-results")

    with pytest.raises(KubeUnavailable):
        await message(server, job)
