"""NemoEvaluatorConnection: URL and credentials of a NeMo Evaluator, and the namespaces that may use it."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from pydantic import ConfigDict, Field

from nemo_eval_operator.resources.access import Auth, Tls
from nemo_eval_operator.resources.meta import (
    API_VERSION,
    DNS_LABEL,
    Conditions,
    KubeModel,
    ObjectMeta,
    ObservedGeneration,
)
from nemo_eval_operator.resources.printing import Column
from nemo_eval_operator.resources.rules import exactly_one, validations

EVALUATOR_PORT: Final = 7331
"""Port that NeMo Evaluator listens on by default."""

ANY_NAMESPACE: Final = "*"

# No user or password, no query: credentials have a place of their own, and this text is shown in status.
_URL: Final = r"^https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[1-9][0-9]{0,4})?(/[A-Za-z0-9._~/%-]*)?$"


class ServiceRef(KubeModel):
    """A Service of this cluster."""

    name: str = Field(min_length=1, max_length=63, pattern=DNS_LABEL, description="Name of the Service.")
    namespace: str | None = Field(
        None,
        min_length=1,
        max_length=63,
        pattern=DNS_LABEL,
        description="Namespace of the Service. Absent: the namespace of this object.",
    )
    port: int = Field(EVALUATOR_PORT, ge=1, le=65535, description="Port of the Service.")
    scheme: Literal["http", "https"] = Field("http", description="Protocol of the Service: http or https.")


class Timeouts(KubeModel):
    """Time-outs of calls to the evaluator."""

    connect_seconds: float = Field(
        5, ge=1, le=60, description="Time-out for opening a connection, in seconds."
    )
    request_seconds: float | None = Field(
        None,
        ge=1,
        le=600,
        description=(
            "Time-out of one call, in seconds; always less than the operator's NEMO_SETTLE_SECONDS. "
            "Absent: the operator's NEMO_REQUEST_TIMEOUT_SECONDS."
        ),
    )


class ConnectionSpec(KubeModel):
    """Desired state of the connection: address, credentials and users of an evaluator."""

    model_config = ConfigDict(
        json_schema_extra=validations(
            exactly_one(
                "url",
                "serviceRef",
                "set exactly one of spec.url (a base URL) and spec.serviceRef (a Service of this cluster)",
            ),
        )
    )

    url: str | None = Field(
        None,
        min_length=8,
        max_length=2048,
        pattern=_URL,
        description=(
            "Base URL of the evaluator, e.g. https://evaluator.example.com, without query and fragment. "
            "Credentials belong in auth. Exactly one of url and serviceRef is required."
        ),
    )
    service_ref: ServiceRef | None = Field(
        None,
        description=(
            "Service of this cluster that serves the evaluator. Exactly one of url and serviceRef is "
            "required."
        ),
    )
    auth: Auth | None = Field(
        None, description="Credentials, read from Secrets in the namespace of this connection."
    )
    tls: Tls | None = Field(
        None,
        description=(
            "TLS settings. Absent: the evaluator's certificate is verified by the public certificate "
            "authorities."
        ),
    )
    timeouts: Timeouts | None = Field(None, description="Time-outs of calls to the evaluator.")
    max_running_jobs: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description=(
            "Maximum number of jobs that run through this connection at the same time; other jobs wait. "
            "Absent: the operator's NEMO_MAX_RUNNING_JOBS, which all connections to the same URL share. "
            "At the operator's own evaluator both limits apply."
        ),
    )
    poll_interval_seconds: float | None = Field(
        None,
        ge=1,
        le=600,
        description=(
            "Seconds between two polls of a job that was started recently; five times as long for a job "
            "that has been running for a long time. Absent: the operator's NEMO_POLL_INTERVAL_SECONDS."
        ),
    )
    default: bool = Field(
        False,
        description=(
            "If true, objects in this namespace without evaluatorRef use this connection. If several "
            "connections are the default, the oldest is used."
        ),
    )
    allowed_namespaces: list[str] = Field(
        default_factory=list,
        max_length=1000,
        description=(
            'Other namespaces whose objects may use this connection in evaluatorRef; "*" allows all '
            "namespaces. Absent: only the namespace of this object."
        ),
        json_schema_extra={
            "x-kubernetes-list-type": "set",
            "items": {"type": "string", "maxLength": 63, "pattern": rf"^(\*|{DNS_LABEL.strip('^$')})$"},
        },
    )


class ConnectionStatus(KubeModel):
    """Observed state of the connection."""

    observed_generation: ObservedGeneration = None
    url: str | None = Field(None, description="Base URL of the evaluator, without credentials.")
    jobs_running: int | None = Field(
        None,
        ge=0,
        description=("Number of jobs that run on the evaluator, of the jobs that this operator reconciles."),
    )
    jobs_waiting: int | None = Field(
        None, ge=0, description="Number of jobs that wait to be submitted to the evaluator."
    )
    last_error: str | None = Field(
        None,
        description=(
            "The most recent error of a call to the evaluator; kept after the evaluator has recovered."
        ),
    )
    message: str | None = Field(
        None, description="Human-readable summary of the current state, in one sentence."
    )
    conditions: Conditions = Field(
        default_factory=list,
        description=(
            "Conditions of the connection: Ready always; Reconciling, Stalled, DefaultConflict, "
            "InsecureSkipVerify and ConnectionInUse only while they are true."
        ),
    )


class NemoEvaluatorConnection(KubeModel):
    """NemoEvaluatorConnection describes how to reach a NeMo Evaluator, with which credentials, and which
    namespaces may use it.
    """

    PLURAL: ClassVar[str] = "nemoevaluatorconnections"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("nec",)
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("URL", ".status.url", "Base URL of the evaluator"),
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status', "Whether the evaluator answers"),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].reason', "Reason of the condition Ready"),
        Column("Running", ".status.jobsRunning", "Number of running jobs", type="integer"),
        Column("Waiting", ".status.jobsWaiting", "Number of jobs that wait to be submitted", type="integer"),
        Column("Age", ".metadata.creationTimestamp", "Time since it was created", type="date"),
        Column(
            "Default",
            ".spec.default",
            "Whether the connection is the default of its namespace",
            type="boolean",
            priority=1,
        ),
        Column("Message", ".status.message", "Summary of the current state", priority=1),
    )

    api_version: Literal["evaluator.nemo.dev/v1alpha1"] = API_VERSION
    kind: Literal["NemoEvaluatorConnection"] = "NemoEvaluatorConnection"
    metadata: ObjectMeta
    spec: ConnectionSpec = Field(
        description="Desired state of the connection: address, credentials and users of an evaluator."
    )
    status: ConnectionStatus = Field(
        default_factory=ConnectionStatus, description="Observed state of the connection; read-only."
    )

    @property
    def url(self) -> str:
        """Base URL of the evaluator, without a slash at its end."""
        spec, service = self.spec, self.spec.service_ref
        if service is not None:
            host = f"{service.name}.{service.namespace or self.metadata.namespace}.svc"
            return f"{service.scheme}://{host}:{service.port}"
        return (spec.url or "").rstrip("/")

    def allows_namespace(self, namespace: str) -> bool:
        """Whether objects of `namespace` may use it."""
        allowed = self.spec.allowed_namespaces
        return namespace == self.metadata.namespace or namespace in allowed or ANY_NAMESPACE in allowed
