"""NemoBenchmarks and NemoEvalJobs as `run` takes them: what a cluster would honour is honoured or refused."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nemo_local_evaluator.wire.errors import InvalidDocument
from nemo_local_evaluator.wire.problems import first_problem
from nemo_local_evaluator.wire.suggestions import closest

__all__ = ["BENCHMARK", "JOB", "Manifest", "as_run", "check_reference"]

BENCHMARK: Final = "NemoBenchmark"
JOB: Final = "NemoEvalJob"

_DRY_RUN_SAMPLES: Final = 1
"""Samples of each task in a dry run."""

Document = dict[str, Any]


class _Reference(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str


class _SamplingParams(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    temperature: Annotated[float, Field(ge=0)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: str | list[str] | None = None


class _Spec(BaseModel):
    """Fields of either kind that `run` reads; the others are for the operator."""

    model_config = ConfigDict(extra="allow")

    config: Document | None = None
    target: Document | None = None
    model: str | None = None
    benchmarkRef: _Reference | None = None  # noqa: N815 - the manifest's name
    samplingParams: _SamplingParams | None = None  # noqa: N815
    limitSamples: Annotated[int, Field(ge=1, strict=True)] | None = None  # noqa: N815
    dryRun: bool = False  # noqa: N815
    valuesFrom: list[dict[str, Any]] | None = None  # noqa: N815


class Manifest:
    """A manifest of kind NemoBenchmark or NemoEvalJob."""

    def __init__(self, document: Document, *, owner: str) -> None:
        """Raise InvalidDocument for a spec that a cluster would not accept, or that needs a Secret."""
        metadata = document.get("metadata")
        self.kind = str(document.get("kind"))
        self.name = str(metadata.get("name")) if isinstance(metadata, Mapping) else "without a name"
        self.shown = f"{self.kind} {self.name} in {owner}"
        try:
            self.spec = _Spec.model_validate(document.get("spec") or {})
        except ValidationError as error:
            raise InvalidDocument(f"{self.shown}: {first_problem(error, within='spec')}") from error
        self._refuse_misspelt()
        self._refuse_secrets()
        if self.kind == JOB:
            self._want_one_of("benchmarkRef", "config")
            self._want_one_of("model", "target")
            if self.spec.dryRun and self.spec.limitSamples is not None:
                raise InvalidDocument(
                    f"{self.shown}: spec.dryRun evaluates one sample of each task: remove spec.limitSamples"
                )

    def _want_one_of(self, one: str, other: str) -> None:
        if (getattr(self.spec, one) is None) == (getattr(self.spec, other) is None):
            raise InvalidDocument(f"{self.shown}: set exactly one of spec.{one} and spec.{other}")

    def _refuse_misspelt(self) -> None:
        """Refuse fields that resemble one that `run` reads; others may steer the operator."""
        for name in self.spec.model_extra or {}:
            if likely := closest(name, _Spec.model_fields, similarity=0.8):
                raise InvalidDocument(
                    f"{self.shown}: spec.{name} is not a field of {self.kind}: did you mean {likely}?"
                )

    def _refuse_secrets(self) -> None:
        for index, value in enumerate(self.spec.valuesFrom or ()):
            path = value.get("targetPath")
            inside = "spec." if self.kind == JOB else "spec.config."
            raise InvalidDocument(
                f"{self.shown}: spec.valuesFrom[{index}]: Secrets of the cluster are not read here; in a"
                f" copy of the file, remove valuesFrom and write the value at {inside}{path}"
            )


def check_reference(job: Manifest, benchmark: Manifest | None) -> None:
    """Raise InvalidDocument where CONFIG holds another benchmark than the one that the job names."""
    reference = job.spec.benchmarkRef
    if reference is None or benchmark is None or reference.name == benchmark.name:
        return
    raise InvalidDocument(
        f"{job.shown}: spec.benchmarkRef.name is {reference.name!r}, but CONFIG holds {benchmark.shown};"
        f" give the file of {BENCHMARK} {reference.name} as CONFIG"
    )


def as_run(config: Document, job: Manifest) -> Document:
    """Return the config with the job's samplingParams, and its limitSamples or dryRun."""
    sampled = _with_sampling(config, job)
    limit = _DRY_RUN_SAMPLES if job.spec.dryRun else job.spec.limitSamples
    if limit is None:
        return sampled
    return {**sampled, "params": {**(sampled.get("params") or {}), "limit_samples": limit}}


def _with_sampling(config: Document, job: Manifest) -> Document:
    """Return the config with the job's samplingParams, also where a task's template sets its own."""
    sampling = job.spec.samplingParams
    overrides = sampling.model_dump(exclude_unset=True) if sampling else {}
    if not overrides:
        return config
    sampled = deepcopy(config)
    sampled["params"] = {**(sampled.get("params") or {}), **overrides}
    for task in (sampled.get("tasks") or {}).values():
        template = (task.get("params") or {}).get("template")
        if isinstance(template, dict):
            template.update({key: value for key, value in overrides.items() if key in template})
    return sampled
