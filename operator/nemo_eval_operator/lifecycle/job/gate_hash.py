"""Digests of spec.gate, which tie a verdict to its gate."""

from __future__ import annotations

import hashlib
import json

from nemo_eval_operator.resources import KubeModel, NemoEvalJob

__all__ = ["baseline_hash", "gate_hash"]


def gate_hash(job: NemoEvalJob) -> str:
    """Return the digest of the whole gate."""
    return _digest(job.spec.gate)


def baseline_hash(job: NemoEvalJob) -> str:
    """Return the digest of the gate's choice of a baseline."""
    return _digest(job.spec.gate and job.spec.gate.baseline)


def _digest(part: KubeModel | None) -> str:
    """Return the digest without defaults: a later release may add fields."""
    plain = None if part is None else part.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()}"
