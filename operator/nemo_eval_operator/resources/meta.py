"""What all resources of the group share: Kubernetes' own words, and how models read and write them.

Models are what the operator sees of an object. They read leniently (a field that a newer CRD added is
ignored, as after a downgrade); what a user may write is decided by the API server, from the CRD that
`crd.py` generates out of the same models.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

GROUP = "evaluator.nemo.dev"
VERSION = "v1alpha1"
API_VERSION: Final = "evaluator.nemo.dev/v1alpha1"

# Names of objects, as the API server itself checks them; elsewhere a name is part of a URL.
DNS_SUBDOMAIN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"

DNS_LABEL: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"

# RFC 3339, kept as text: a status is written back exactly as it was read.
Timestamp = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class KubeModel(BaseModel):
    """A part of a Kubernetes object: camelCase in the manifest, snake_case in Python."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
        protected_namespaces=(),
        hide_input_in_errors=True,
    )

    def to_manifest(self) -> dict[str, Any]:
        """As in a manifest; NeMo's schemas within keep their own snake_case."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class ObjectMeta(KubeModel):
    """The part of metav1.ObjectMeta that the operator reads."""

    name: str
    namespace: str = "default"
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: list[str] = Field(default_factory=list)
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None


class Condition(KubeModel):
    """Condition of the object, as in metav1.Condition."""

    type: str = Field(
        min_length=1,
        max_length=316,
        description="Type of the condition, e.g. Ready, Reconciling, Stalled.",
    )
    status: str = Field(
        description="Status of the condition: True, False or Unknown.",
        json_schema_extra={"enum": ["True", "False", "Unknown"]},
    )
    reason: str = Field(min_length=1, max_length=1024, description="Machine-readable reason, in CamelCase.")
    message: str = Field(max_length=32768, description="Human-readable explanation.")
    last_transition_time: Timestamp = Field(
        description="Time at which the status of the condition last changed."
    )
    observed_generation: int | None = Field(
        None, ge=0, description="The metadata.generation that the condition is based on."
    )


Conditions = Annotated[
    list[Condition],
    Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
]

ObservedGeneration = Annotated[
    int | None,
    Field(
        description=(
            "The metadata.generation that this status is based on; -1 until the object has been reconciled."
        )
    ),
]
