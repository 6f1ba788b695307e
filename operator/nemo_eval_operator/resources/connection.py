"""NemoEvaluatorConnection: where a NeMo Evaluator is, how to get in, and who may use it."""

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
"""NeMo Evaluator's own."""

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
        description="Namespace of the Service. Absent: this object's own.",
    )
    port: int = Field(EVALUATOR_PORT, ge=1, le=65535, description="Port of the Service.")
    scheme: Literal["http", "https"] = Field("http", description="http or https.")


class Timeouts(KubeModel):
    """How long the evaluator is waited for."""

    connect_seconds: float = Field(
        5, ge=1, le=60, description="Seconds in which a connection has to be made."
    )
    request_seconds: float | None = Field(
        None,
        ge=1,
        le=600,
        description=(
            "Seconds after which a call is given up, in any case before the operator's NEMO_SETTLE_SECONDS. "
            "Absent: NEMO_REQUEST_TIMEOUT_SECONDS."
        ),
    )


class ConnectionSpec(KubeModel):
    """Where the evaluator is, how to get in, and who may use it."""

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
            "Base URL of the evaluator, without credentials (auth has a place for them), query and "
            "fragment, e.g. https://evaluator.example.com. Exactly one of url and serviceRef is set."
        ),
    )
    service_ref: ServiceRef | None = Field(
        None,
        description="The evaluator as a Service of this cluster. Exactly one of url and serviceRef is set.",
    )
    auth: Auth | None = Field(
        None, description="Credentials, out of Secrets in the namespace of this connection."
    )
    tls: Tls | None = Field(None, description="How the two sides of https prove who they are.")
    timeouts: Timeouts | None = Field(None, description="How long the evaluator is waited for.")
    max_running_jobs: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description=(
            "How many jobs the operator lets run by this connection at a time; others wait. Absent: the "
            "operator's NEMO_MAX_RUNNING_JOBS, which all connections to one URL share. At the operator's own "
            "evaluator both limits hold."
        ),
    )
    poll_interval_seconds: float | None = Field(
        None,
        ge=1,
        le=600,
        description=(
            "Seconds between two looks at a young job; five times as many at one that runs for long. "
            "Absent: the operator's NEMO_POLL_INTERVAL_SECONDS."
        ),
    )
    default: bool = Field(
        False,
        description=(
            "If true, objects of this namespace that name no evaluatorRef use this connection. Of several "
            "the oldest is it."
        ),
    )
    allowed_namespaces: list[str] = Field(
        default_factory=list,
        max_length=1000,
        description=(
            'Other namespaces whose objects may name this connection in their evaluatorRef; "*" is all. '
            "Absent: its own namespace only."
        ),
        json_schema_extra={
            "x-kubernetes-list-type": "set",
            "items": {"type": "string", "maxLength": 63, "pattern": rf"^(\*|{DNS_LABEL.strip('^$')})$"},
        },
    )


class ConnectionStatus(KubeModel):
    """How the evaluator stands."""

    observed_generation: ObservedGeneration = None
    url: str | None = Field(None, description="Base URL of the evaluator, without credentials.")
    jobs_running: int | None = Field(
        None, ge=0, description="Jobs that run on it, of those this operator takes care of."
    )
    jobs_waiting: int | None = Field(None, ge=0, description="Jobs that are to be submitted to it.")
    last_error: str | None = Field(None, description="The last trouble with it; kept when that is over.")
    message: str | None = Field(None, description="Where things stand, in one sentence.")
    conditions: Conditions = Field(
        default_factory=list,
        description=(
            "Ready, and while they hold Reconciling, Stalled, DefaultConflict, InsecureSkipVerify and "
            "ConnectionInUse."
        ),
    )


class NemoEvaluatorConnection(KubeModel):
    """NemoEvaluatorConnection says where a NeMo Evaluator is, how to get in, and who may use it."""

    PLURAL: ClassVar[str] = "nemoevaluatorconnections"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("nec",)
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("URL", ".status.url", "Base URL of the evaluator"),
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status', "Whether the evaluator answers"),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].reason', "Why it is ready or not"),
        Column("Running", ".status.jobsRunning", "Jobs that run on it", type="integer"),
        Column("Waiting", ".status.jobsWaiting", "Jobs that are to be submitted to it", type="integer"),
        Column("Age", ".metadata.creationTimestamp", "Time since it was created", type="date"),
        Column(
            "Default", ".spec.default", "Whether it is its namespace's default", type="boolean", priority=1
        ),
        Column("Message", ".status.message", "Where things stand", priority=1),
    )

    api_version: Literal["evaluator.nemo.dev/v1alpha1"] = API_VERSION
    kind: Literal["NemoEvaluatorConnection"] = "NemoEvaluatorConnection"
    metadata: ObjectMeta
    spec: ConnectionSpec = Field(description="Where the evaluator is, how to get in, and who may use it.")
    status: ConnectionStatus = Field(
        default_factory=ConnectionStatus, description="How the evaluator stands; read-only."
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
