"""What the objects of the cluster mean for the user: pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from pydantic import JsonValue

from nemo_eval_operator.clock import duration_text, parse_timestamp
from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.kube import CoreEvent, Deployment, Lease
from nemo_eval_operator.lifecycle.reason_reference import CONNECTION_ENTRIES
from nemo_eval_operator.resources import CONNECTION_PLURAL, NemoEvaluatorConnection

from .findings import Finding, Level

__all__ = [
    "UNSEEN_AFTER",
    "clock_finding",
    "connection_finding",
    "crd_findings",
    "deployment_findings",
    "lease_finding",
]

SHOWN_FIELDS: Final = 3
"""Fields that are named where schemas differ."""

SKEW_SHOWN: Final = timedelta(seconds=5)
"""Difference of clocks from which ages and estimates are visibly wrong. The header Date has whole seconds."""

SKEW_HARMFUL: Final = timedelta(minutes=5)
"""Difference of clocks at which tokens and certificates begin to be refused."""

UNSEEN_AFTER: Final = timedelta(minutes=1)
"""Age from which an object without a status shows that no operator reconciles its namespace."""

START_OPERATOR: Final = (
    "Look at its pods: `kubectl get pods -A -l app.kubernetes.io/name=nemo-eval-operator`."
)


def crd_findings(
    own: Mapping[str, JsonObject], served: Mapping[str, JsonObject], version: str
) -> Iterator[Finding]:
    """Compare the schemas of this plugin's release with those that the cluster serves, by kind."""
    if missing := sorted(own.keys() - served.keys()):
        yield Finding(
            "CRDs",
            Level.ERROR,
            f"the cluster does not serve {', '.join(missing)} as {version}",
            "Install the CRDs of nemo-eval-operator, e.g. `kubectl apply --server-side -f crds/`.",
        )
    lacking, unknown = [], []
    for kind in own.keys() & served.keys():
        here, there = (set(_paths(one, kind)) for one in (own[kind], served[kind]))
        lacking += _outermost(here - there)
        unknown += _outermost(there - here)
    if lacking:
        yield Finding(
            "CRDs",
            Level.WARNING,
            f"they are older than this plugin: they lack {_some(lacking)}",
            "Upgrade the CRDs, or use the plugin of the operator's release.",
        )
    if unknown:
        yield Finding(
            "CRDs",
            Level.WARNING,
            f"they are newer than this plugin, which does not know {_some(unknown)}",
            "Upgrade the plugin to the operator's release.",
        )
    if not (missing or lacking or unknown):
        yield Finding("CRDs", Level.OK, f"{version}, as this plugin knows them")


def _paths(schema: JsonValue, path: str) -> Iterator[str]:
    """Return the paths of all fields under spec and status."""
    if not isinstance(schema, dict):
        return
    properties = schema.get("properties")
    for name, one in properties.items() if isinstance(properties, dict) else ():
        if "." in path or name in {"spec", "status"}:
            yield f"{path}.{name}"
            yield from _paths(one, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        yield from _paths(schema.get(key), f"{path}[]")


def _outermost(paths: Iterable[str]) -> list[str]:
    """Return the paths without those below another one."""
    found = set(paths)
    return sorted(path for path in found if not any(path.startswith((f"{one}.", f"{one}[")) for one in found))


def _some(fields: Sequence[str]) -> str:
    shown = ", ".join(sorted(fields)[:SHOWN_FIELDS])
    more = len(fields) - SHOWN_FIELDS
    return f"{shown} and {more} more" if more > 0 else shown


def lease_finding(leases: Sequence[Lease], now: datetime) -> Finding:
    """Judge the Leases of operators, of which there is one at least; of several, the one renewed last."""
    held = [one for one in leases if one.spec.holder_identity and one.spec.renew_time]
    if not held:
        return Finding("operator", Level.ERROR, "no operator holds its lease", START_OPERATOR)
    lease = max(held, key=lambda one: parse_timestamp(one.spec.renew_time or ""))
    spec, name = lease.spec, f"{lease.metadata.namespace}/{lease.metadata.name}"
    age = max(now - parse_timestamp(spec.renew_time or ""), timedelta())
    ago = f"renewed {duration_text(age)} ago"
    # The server's time has whole seconds.
    if age <= timedelta(seconds=(spec.lease_duration_seconds or 0) + 1):
        return Finding("operator", Level.OK, f"{spec.holder_identity} leads: lease {name} was {ago}")
    message = f"no operator leads: lease {name} was last {ago} by {spec.holder_identity}"
    return Finding("operator", Level.ERROR, message, START_OPERATOR)


def deployment_findings(
    found: Sequence[Deployment], events: Mapping[str, Sequence[CoreEvent]], version: str
) -> Iterator[Finding]:
    """Judge the operator's Deployments; `events` by their uid."""
    for one in found:
        meta, wanted, available = one.metadata, one.spec.replicas, one.status.available_replicas
        pods = f"Deployment {meta.namespace}/{meta.name}: {available} of {wanted} pods available"
        if not wanted or not available:
            yield Finding("operator", Level.ERROR, pods, START_OPERATOR)
        elif available < wanted:
            yield Finding("operator", Level.WARNING, pods, START_OPERATOR)
        else:
            yield Finding("operator", Level.OK, pods)
        theirs = meta.labels.get("app.kubernetes.io/version")
        if theirs and theirs != version:
            yield Finding(
                "version",
                Level.WARNING,
                f"the operator is {theirs}, this plugin {version}",
                "Use the plugin of the operator's release.",
            )
        elif theirs:
            yield Finding("version", Level.OK, f"operator and plugin are {version}")
        warning = next((event for event in events.get(meta.uid, ()) if event.type == "Warning"), None)
        if warning is not None:
            yield Finding("operator", Level.WARNING, f"{warning.reason}: {warning.message}", START_OPERATOR)


def connection_finding(connection: NemoEvaluatorConnection, now: datetime) -> Finding:
    """Judge one connection by its conditions."""
    meta, status = connection.metadata, connection.status
    name = f"{meta.namespace}/{meta.name}"
    conditions = {one.type: one for one in status.conditions}
    ready = conditions.get("Ready")
    if ready is None or (status.observed_generation or 0) < meta.generation:
        created = meta.creation_timestamp
        is_new = created is not None and now - created < UNSEEN_AFTER
        return Finding(
            "connection",
            Level.WARNING if is_new else Level.ERROR,
            f"{name} has not been reconciled yet",
            "" if is_new else "Check that an operator runs and watches this namespace.",
        )
    if ready.status == "True":
        return Finding("connection", Level.OK, f"{name} is ready: {status.url or connection.url}")
    entry = next((one for one in CONNECTION_ENTRIES if one.reason == ready.reason), None)
    where = f"{CONNECTION_PLURAL} {meta.name} -n {meta.namespace}"
    events = f"The operator keeps trying; see `kubectl describe {where}`."
    action = entry.action if entry and entry.action else events
    return Finding(
        "connection", Level.ERROR, f"{name} is not ready ({ready.reason}): {ready.message}", action
    )


def clock_finding(server: datetime | None, before: datetime, after: datetime) -> Finding:
    """Compare the API server's time with this machine's, at which the request began and ended."""
    if server is None:
        return Finding("clock", Level.WARNING, "the API server did not say its time")
    late, early = server - after, before - (server + timedelta(seconds=1))
    skew = max(late, early, timedelta())
    direction = "behind" if late > early else "ahead of"
    if skew < SKEW_SHOWN:
        return Finding("clock", Level.OK, "this machine and the API server agree")
    return Finding(
        "clock",
        Level.ERROR if skew >= SKEW_HARMFUL else Level.WARNING,
        f"this machine's clock is {duration_text(skew)} {direction} the API server's",
        "Synchronize it, e.g. by NTP: ages and times left are wrong, and tokens may be refused.",
    )
