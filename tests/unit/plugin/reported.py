"""Finished runs in a cluster in memory, with results and evidence as the operator keeps them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from nemo_eval_operator.gates import Packed, evidence_of, pack
from nemo_eval_operator.json_types import JsonObject
from tests.unit.gates.documents import NAME, document, stats
from tests.unit.lifecycle.objects import condition, evaljob, finished
from tests.unit.plugin.cluster_api import ClusterApi

CONFIG = '{"params":{"limit_samples":50},"type":"custom"}'
CRITERION = {"score": NAME, "tier": "Critical", "result": "Failed", "message": "0.6 is below the minimum 0.7"}


def answers(scores: Sequence[float], **texts: str) -> JsonObject:
    """Return results with an item, an answer and a score each; `texts`: those of the first item."""
    samples = [
        {
            "item": {"question": f"question {number}", "answer": f"right {number}"},
            "output_text": f"{'right' if score else 'wrong'} {number}",
            "scores": {"answered": {"string-check": score}},
        }
        for number, score in enumerate(scores)
    ]
    if texts:
        samples[0] |= {
            "item": {"question": texts["input"], "answer": texts["reference"]},
            "output_text": texts["output"],
        }
    return document(stats(scores), samples)


def put_run(
    api: ClusterApi,
    name: str,
    results: JsonObject,
    *,
    day: int = 1,
    status: Mapping[str, Any] | None = None,
    model: str = "meta/llama-3.1-8b-instruct",
    config: str = CONFIG,
    **spec: Any,
) -> Packed:
    """Put a run that succeeded, its results and its evidence."""
    packed = pack(evidence_of(results))
    keep(api, f"{name}-evidence", packed)
    kept = {"results.json": json.dumps(results), "config.json": config}
    api.config_maps["team-a", f"{name}-results"] = config_map(f"{name}-results", kept)
    value = evidence_of(results).scores[0].value
    job = evaljob(
        meta={"name": name, "uid": f"uid-of-{name}"},
        status=finished(
            completionTime=f"2026-03-{day:02}T12:00:00Z",
            model=model,
            attempt=1,
            jobId=f"eval-of-{name}",
            evaluator={"url": "http://evaluator.test", "connection": "team-a/prod"},
            benchmark={"name": "qa", "generation": 3, "hash": hash_of(config)},
            scores=[{"task": "qa", "metric": "answered", "score": "string-check", "value": value}],
            resultsRef={"configMap": f"{name}-results", "key": "results.json"},
            evidenceRef={"configMap": f"{name}-evidence", "digest": packed.digest},
        )
        | dict(status or {}),
        model=model,
        **spec,
    )
    api.put("nemoevaljobs", job)
    return packed


def keep(api: ClusterApi, name: str, packed: Packed) -> None:
    """Keep evidence in a ConfigMap."""
    texts, items = {"evidence.json": packed.header}, {"items.zlib": packed.items}
    api.config_maps["team-a", name] = config_map(name, texts, items)


def config_map(
    name: str, texts: Mapping[str, str], binary: Mapping[str, bytes] | None = None
) -> dict[str, Any]:
    """Return the manifest of a ConfigMap."""
    encoded = {key: base64.b64encode(content).decode() for key, content in (binary or {}).items()}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {**texts},
        "binaryData": encoded,
    }


def hash_of(config: str) -> str:
    """Return the hash of a config, as the operator records it."""
    return f"sha256:{hashlib.sha256(config.encode()).hexdigest()}"


def gate_status(baseline: str, packed: Packed) -> dict[str, Any]:
    """Return the status of a run that failed its gate against the baseline."""
    used = {
        "name": baseline,
        "uid": f"uid-of-{baseline}",
        "attempt": 1,
        "choice": "c",
        "benchmarkHash": hash_of(CONFIG),
    }
    kept = {"configMap": f"{baseline}-evidence", "digest": packed.digest}
    return {
        "gate": {
            "verdict": "Failed",
            "hash": "sha256:gate",
            "baseline": used | kept,
            "criteria": [CRITERION],
        },
        "conditions": [
            condition("Ready", "False", "GateFailed"),
            condition("Stalled", "True", "GateFailed"),
            condition("Complete", "True", "Completed"),
            condition("GatePassed", "False", "GateFailed"),
        ],
    }
