"""coordination.k8s.io/v1 Lease, as far as electing a leader needs it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

__all__ = ["Lease", "LeaseSpec"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


class LeaseSpec(_Part):
    """Who holds it, and for how long after each renewal. Times are MicroTimes, kept as text."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class _Meta(_Part):
    resource_version: str = ""


class Lease(_Part):
    """One Lease as it was read or written; what else it holds is left alone."""

    metadata: _Meta
    spec: LeaseSpec = LeaseSpec()
