"""Bodies of configs and jobs, as they are sent to the evaluator.

NeMo's part of a spec is passed on as it was written; only the operator's marks and the values of Secrets are
added. Secret values arrive as an argument and leave in the body, nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Final

from pydantic import JsonValue

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.lifecycle import mark_of_attempt, mark_of_object, without_marks
from nemo_eval_operator.nemo import ApiEndpoint, EvaluationConfig, Model
from nemo_eval_operator.resources import NemoBenchmark, NemoEvalJob, SamplingParams

from .target_paths import place

__all__ = [
    "SecretValues",
    "carries_config",
    "config_body",
    "config_in_full",
    "config_name",
    "job_body",
    "model_name",
    "sample_limit",
]

DRY_RUN_SAMPLES: Final = 1
"""Samples of each task in a dry run."""

SecretValues = Mapping[str, str]
"""The values that spec.valuesFrom names, by their target path."""


def config_name(benchmark: NemoBenchmark) -> tuple[str, str]:
    """Namespace and name of the benchmark's config in NeMo; both default to the object's own."""
    config, meta = benchmark.spec.config, benchmark.metadata
    return config.namespace or meta.namespace, config.name or meta.name


def config_body(benchmark: NemoBenchmark, secrets: SecretValues, *, cluster: str = "") -> JsonObject:
    """The ConfigInput of a benchmark, with its mark. Raises UnusableTargetPath."""
    body = _written(benchmark.spec.config)
    _set_values(body, secrets)
    namespace, name = config_name(benchmark)
    own = body.get("custom_fields")
    mark = mark_of_object(benchmark.metadata, cluster=cluster)
    marked: JsonObject = {**without_marks(own if isinstance(own, dict) else {}), **mark}
    return body | {"namespace": namespace, "name": name, "custom_fields": marked}


def job_body(
    job: NemoEvalJob,
    benchmark: NemoBenchmark | None,
    *,
    nonce: str,
    secrets: SecretValues,
    benchmark_secrets: SecretValues,
    cluster: str = "",
    connection: str | None = None,
) -> JsonObject:
    """The JobInput of one attempt, with its mark. Raises UnusableTargetPath.

    A benchmark's config is referred to by name, unless something of this run has to
    be changed in it: then a copy without a name travels inside the job.
    """
    parts: JsonObject = {
        "config": _job_config(job, benchmark, secrets, benchmark_secrets),
        "target": _target(job),
    }
    _set_values(parts, secrets)
    mark = mark_of_attempt(
        job.metadata,
        attempt=job.status.attempt or 1,
        nonce=nonce,
        cluster=cluster,
        connection=connection,
    )
    return {"namespace": job.metadata.namespace, **parts, "custom_fields": dict[str, JsonValue](mark)}


def carries_config(job: NemoEvalJob, secrets: SecretValues) -> bool:
    """Return whether this run changes its benchmark's config, so that the job has to embed a changed copy."""
    changed = job.spec.sampling_params is not None or sample_limit(job) is not None
    return changed or any(map(_is_of_config, secrets))


def sample_limit(job: NemoEvalJob) -> int | None:
    """Return how many samples of each task this run evaluates at most; None where the config decides."""
    return DRY_RUN_SAMPLES if job.spec.dry_run else job.spec.limit_samples


def _is_of_config(path: str) -> bool:
    """Return whether a target path of a job leads into its config, not into its target."""
    return path.startswith("config.")


def config_in_full(
    job: NemoEvalJob,
    benchmark: NemoBenchmark | None,
    *,
    secrets: SecretValues,
    benchmark_secrets: SecretValues,
) -> JsonObject:
    """The config that `job` runs, without name and namespace, also where the request only refers to it.

    Raises UnusableTargetPath.
    """
    config = _copy_of(benchmark, benchmark_secrets, job) if benchmark else _inline(job)
    _set_values({"config": config}, {path: text for path, text in secrets.items() if _is_of_config(path)})
    for identity in ("name", "namespace"):
        config.pop(identity, None)
    return config


def model_name(job: NemoEvalJob) -> str | None:
    """Return the model for `kubectl get`: its name, the endpoint's model_id, or the target's type."""
    target = job.spec.target
    if job.spec.model is not None or target is None:
        return job.spec.model
    match target.model:
        case str(name):
            return name
        case Model(api_endpoint=ApiEndpoint(model_id=model_id)):
            return model_id
        case _:
            return f"({target.type})"


def _job_config(
    job: NemoEvalJob, benchmark: NemoBenchmark | None, secrets: SecretValues, benchmark_secrets: SecretValues
) -> JsonValue:
    if benchmark is None:
        return _inline(job)
    if not carries_config(job, secrets):
        return "/".join(config_name(benchmark))
    return _copy_of(benchmark, benchmark_secrets, job)


def _inline(job: NemoEvalJob) -> JsonObject:
    """The config that the job brings along; empty where it has none."""
    return _as_run(_written(job.spec.config) if job.spec.config else {}, job)


def _copy_of(benchmark: NemoBenchmark, secrets: SecretValues, job: NemoEvalJob) -> JsonObject:
    """The benchmark's config as this run changes it, without the name that it is stored by."""
    copy = _written(benchmark.spec.config)
    _set_values(copy, secrets)
    for identity in ("name", "namespace"):
        copy.pop(identity, None)
    return _as_run(copy, job)


def _target(job: NemoEvalJob) -> JsonValue:
    if job.spec.target is not None:
        return job.spec.target.to_request()
    return {"type": "model", "model": job.spec.model}


def _as_run(config: JsonObject, job: NemoEvalJob) -> JsonObject:
    """The config as this run changes it: its sampling parameters, and its limit of samples."""
    return _limited(_sampled(config, job.spec.sampling_params), sample_limit(job))


def _limited(config: JsonObject, limit: int | None) -> JsonObject:
    if limit is None:
        return config
    params = config.get("params")
    return config | {"params": {**(params if isinstance(params, dict) else {}), "limit_samples": limit}}


def _sampled(config: JsonObject, sampling: SamplingParams | None) -> JsonObject:
    """The config with this run's sampling parameters, also where a task's template sets its own."""
    if sampling is None:
        return config
    overrides: JsonObject = sampling.model_dump(mode="json", exclude_unset=True)
    params = config.get("params")
    sampled = config | {"params": {**(params if isinstance(params, dict) else {}), **overrides}}
    tasks = sampled.get("tasks")
    for task in tasks.values() if isinstance(tasks, dict) else ():
        match task:
            case {"params": {"template": dict(template)}}:
                template.update({key: value for key, value in overrides.items() if key in template})
            case _:
                pass
    return sampled


def _written(config: EvaluationConfig) -> JsonObject:
    return deepcopy(config.to_request())


def _set_values(body: JsonObject, values: SecretValues) -> None:
    for path, value in values.items():
        place(body, path, value)
