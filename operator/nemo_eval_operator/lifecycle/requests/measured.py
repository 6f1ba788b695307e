"""The config that a run measures, as it is recorded when the run is submitted.

A benchmark may be edited or deleted while a run goes on, and scores without the config that they were
measured with cannot be compared. So status keeps the config from the intent to submit until the results
ConfigMap has it; generation and hash stay in status.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Final

from pydantic import JsonValue, ValidationError
from pydantic_core import to_json

from nemo_eval_operator.evaluator.model import MASK
from nemo_eval_operator.json_types import JSON_OBJECT, JsonObject
from nemo_eval_operator.resources import MeasuredConfig, NemoBenchmark, NemoEvalJob

from .bodies import config_in_full
from .plain_secrets import mask_plain_secrets

__all__ = ["CONFIG_KEY", "config_document", "measured_config", "recorded_config"]

CONFIG_KEY: Final = "config.json"
"""Key of the config in the results ConfigMap."""

MAX_CONFIG_BYTES: Final = 64 * 1024
"""Limit of a config that is kept in status and in a results ConfigMap, whose results may have 900 of its
1,024 KiB."""


def measured_config(
    job: NemoEvalJob,
    benchmark: NemoBenchmark | None,
    *,
    secret_paths: Iterable[str],
    hide: Callable[[JsonValue], JsonValue],
) -> MeasuredConfig:
    """The config that `job` is submitted with, without credentials.

    `secret_paths`: target paths in the job that Secrets fill; `hide` masks known values wherever they stand.
    Raises UnusableTargetPath.
    """
    filled = [] if benchmark is None else benchmark.spec.values_from
    config = config_in_full(
        job,
        benchmark,
        secrets=dict.fromkeys(secret_paths, MASK),
        benchmark_secrets={source.target_path: MASK for source in filled},
    )
    mask_plain_secrets(config)
    text = _canonical(hide(config))
    source = job if benchmark is None else benchmark
    return MeasuredConfig(
        name=None if benchmark is None else benchmark.metadata.name,
        generation=source.metadata.generation,
        hash=_hash(text),
        config=text if len(text.encode()) <= MAX_CONFIG_BYTES else None,
        limit_samples=_limit_in(config),
    )


def config_document(job: NemoEvalJob) -> str | None:
    """Return the text for CONFIG_KEY of the results ConfigMap; None where the submission was not recorded."""
    measured = job.status.benchmark
    if measured is None:
        return None
    text = measured.config
    if text is not None and len(text.encode()) <= MAX_CONFIG_BYTES:
        return text
    source = f"NemoBenchmark {measured.name}" if measured.name else f"NemoEvalJob {job.metadata.name}"
    note: JsonObject = {
        "truncated": (
            f"the config has more than {MAX_CONFIG_BYTES // 1024} KiB, which do not fit beside the results; "
            f"it was that of {source}, generation {measured.generation}, with the hash {measured.hash}"
        )
    }
    return to_json(note, indent=1).decode()


def recorded_config(text: str | None, digest: str | None) -> JsonObject | None:
    """Return the config in the text of CONFIG_KEY; None where it is not the whole config with this hash."""
    if text is None or len(text) > MAX_CONFIG_BYTES or _hash(text) != digest:
        return None
    try:
        return JSON_OBJECT.validate_json(text)
    except ValidationError:
        return None


def _hash(text: str) -> str:
    # Not of the operator's making, a text may have lone surrogates, which UTF-8 does not have.
    return f"sha256:{hashlib.sha256(text.encode(errors='replace')).hexdigest()}"


def _limit_in(config: JsonObject) -> int | None:
    match config.get("params"):
        case {"limit_samples": int(limit)} if not isinstance(limit, bool):
            return limit
        case _:
            return None


def _canonical(config: JsonValue) -> str:
    """JSON with sorted keys, so that the order in which a manifest is written does not matter."""
    return json.dumps(config, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
