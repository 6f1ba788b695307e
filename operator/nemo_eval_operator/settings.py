"""The operator's settings, from the environment; command-line options of the same name go before them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import AliasChoices, BeforeValidator, Field, HttpUrl, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from nemo_eval_operator.lifecycle.requests import AllowedHosts, Tenancy

from .resources import LabelSelector

__all__ = ["LogFormat", "Settings"]

RETRIES_BEFORE_DEADLINE = 2
"""Renewals that may fail before the lease is given up."""


def _parsed(value: object) -> object:
    return LabelSelector.parse(value) if isinstance(value, str) else value


def _mapped(value: object) -> object:
    """Return `a=x,a=y,b=z` as {a: (x, y), b: (z,)}. Raises ValueError."""
    if not isinstance(value, str):
        return value
    pairs: dict[str, tuple[str, ...]] = {}
    for part in filter(None, map(str.strip, value.split(","))):
        name, equals, mapped = (piece.strip() for piece in part.partition("="))
        if not (name and equals and mapped) or "=" in mapped:
            raise ValueError(f"{part!r} is not written KUBERNETES_NAMESPACE=NEMO_NAMESPACE")
        pairs[name] = (*pairs.get(name, ()), mapped)
    return pairs


def _allowed_hosts(value: object) -> object:
    return AllowedHosts(filter(None, value.split(","))) if isinstance(value, str) else value


class LogFormat(StrEnum):
    JSON = "json"
    CONSOLE = "console"


class Settings(BaseSettings):
    """Every variable is NEMO_ and the field's name; the evaluator's is the one that NVIDIA's clients read."""

    model_config = SettingsConfigDict(env_prefix="NEMO_", frozen=True, arbitrary_types_allowed=True)

    evaluator_url: HttpUrl = Field(
        HttpUrl("http://localhost:7331"),
        validation_alias=AliasChoices("evaluator_url", "NVIDIA_EVALUATOR_URL"),
        description="Base URL of the NeMo Evaluator. 7331 is its default port.",
    )
    kubeconfig: Path | None = Field(
        None,
        description="Kubeconfig; default: the pod's service account, else kubectl's own configuration.",
    )
    namespaces: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description=(
            "Namespaces to watch, separated by commas; empty: all. Objects with the finalizer in a namespace "
            "that is not watched any more cannot be deleted."
        ),
    )
    selector: Annotated[LabelSelector, NoDecode, BeforeValidator(_parsed)] = Field(
        LabelSelector(),
        description=(
            "Label selector: reconcile only matching jobs, benchmarks and connections. Objects with the "
            "finalizer that no operator's selector matches any more cannot be deleted."
        ),
    )
    leader_elect: bool = Field(
        False, description="Reconcile only while holding a Lease, so that other replicas can stand by."
    )
    lease_name: str = Field(
        "nemo-eval-operator", description="Name of the Lease; each shard of operators needs its own."
    )
    lease_namespace: str | None = Field(
        None, description="Namespace of the Lease; default: the pod's own, else default."
    )
    lease_duration_seconds: int = Field(
        10, ge=3, le=600, description="Seconds after a leader's last renewal at which a standby takes over."
    )
    lease_renew_deadline_seconds: float = Field(
        7.0, gt=0, le=600, description="Seconds after its last renewal at which a leader stops working."
    )
    lease_retry_seconds: float = Field(
        2.0, gt=0, le=600, description="Seconds between two tries to acquire or renew the lease."
    )
    poll_interval_seconds: float = Field(
        2.0,
        ge=0.2,
        le=600,
        description="Seconds between two polls of a new job; five times as long once it has run for minutes.",
    )
    request_timeout_seconds: float = Field(
        30.0, gt=0, le=600, description="Time-out of a request to the evaluator, in seconds."
    )
    settle_seconds: float = Field(
        120.0,
        ge=0,
        le=3600,
        description=(
            "Grace period in seconds after a submission without a response: the job may still appear in the "
            "evaluator, and is not submitted again before. Longer than request_timeout_seconds. A new value "
            "also holds for earlier submissions."
        ),
    )
    max_running_jobs: int | None = Field(
        None,
        ge=1,
        description=(
            "Maximum number of jobs that this operator runs at once on an evaluator, counting all "
            "connections to its URL; default: no limit. A connection's own limit replaces it, but not "
            "for the operator's own evaluator."
        ),
    )
    workers: int = Field(
        24,
        ge=1,
        le=256,
        description="Objects reconciled at the same time; the same number for evaluators of connections.",
    )
    workers_per_evaluator: int = Field(
        16,
        ge=1,
        le=256,
        description=(
            "Objects that call the operator's own evaluator at the same time, submissions included; the same "
            "number again for all connections of one namespace together."
        ),
    )
    allow_loopback_connections: bool = Field(
        False,
        description=(
            "Whether a NemoEvaluatorConnection may have a loopback address. For laptops only: in a cluster a "
            "tenant could use it to reach other programs beside the operator."
        ),
    )
    cluster_name: str = Field(
        "",
        max_length=63,
        pattern=r"^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$",
        description=(
            "Name of this cluster, stored with its configs and jobs. Needed if several clusters share an "
            "evaluator: it distinguishes namespaces of the same name. Set it before the first benchmark: "
            "configs of deleted objects keep the former name, and are another cluster's from then on."
        ),
    )
    namespace_map: Annotated[dict[str, tuple[str, ...]], NoDecode, BeforeValidator(_mapped)] = Field(
        default_factory=dict,
        description=(
            "NeMo namespaces that a Kubernetes namespace's configs may be in, as KUBERNETES=NEMO pairs "
            "separated by commas; a namespace may have several pairs, and one without any may use the NeMo "
            "namespace of its own name. Default: no restriction."
        ),
    )
    allow_foreign_adoption: bool = Field(
        False,
        description=(
            "Whether the annotation evaluator.nemo.dev/adopt also takes over configs that belong to another "
            "Kubernetes namespace or cluster. For migrations only."
        ),
    )
    require_secret_label: bool = Field(
        False,
        description="Read only Secrets that carry the label evaluator.nemo.dev/allow=true.",
    )
    allowed_model_hosts: Annotated[AllowedHosts, NoDecode, BeforeValidator(_allowed_hosts)] = Field(
        AllowedHosts(),
        description=(
            "Hosts that URLs in configs and targets may have, separated by commas: HOST, *.DOMAIN or an "
            "address; empty: all."
        ),
    )
    health_port: int = Field(
        8080, ge=0, le=65535, description="Port of /healthz, /readyz and /metrics; 0 turns it off."
    )
    metrics_object_names: bool = Field(
        False,
        description=(
            "Whether /metrics has names of objects: scores by benchmark and model, and the objects whose "
            "jobs or configs may remain in the evaluator."
        ),
    )
    metrics_score_series: int = Field(
        2000,
        ge=0,
        le=10_000,
        description=(
            "Maximum number of series of nemo_eval_score and nemo_eval_gate_passed, shared fairly between "
            "namespaces; 0: none. They need metrics_object_names."
        ),
    )
    metrics_token_file: Path | None = Field(
        None,
        description="File with the bearer token that /metrics requires; default: none is required.",
    )
    log_format: LogFormat = Field(LogFormat.JSON, description="json for log collectors, console for reading.")
    log_level: str = Field(
        "INFO", pattern="(?i)^(debug|info|warning|error)$", description="Minimum log level."
    )

    @field_validator("namespaces", mode="before")
    @classmethod
    def _separated_by_commas(cls, value: object) -> object:
        return tuple(filter(None, value.split(","))) if isinstance(value, str) else value

    @property
    def tenancy(self) -> Tenancy:
        """The rules for namespaces that share an evaluator."""
        return Tenancy(
            cluster=self.cluster_name,
            nemo_namespaces=self.namespace_map,
            adopt_foreign=self.allow_foreign_adoption,
        )

    @model_validator(mode="after")
    def _leader_gives_up_before_another_takes_over(self) -> Self:
        if self.lease_renew_deadline_seconds < self.lease_retry_seconds * RETRIES_BEFORE_DEADLINE:
            raise ValueError("lease_renew_deadline_seconds must be twice lease_retry_seconds or more")
        if self.lease_duration_seconds <= self.lease_renew_deadline_seconds:
            raise ValueError("lease_duration_seconds must be longer than lease_renew_deadline_seconds")
        return self

    @model_validator(mode="after")
    def _settle_after_the_timeout(self) -> Self:
        """The evaluator may still be processing a request that has timed out."""
        if self.settle_seconds <= self.request_timeout_seconds:
            raise ValueError("settle_seconds must be longer than request_timeout_seconds")
        return self
