"""Removal of the operator's finalizers before it is uninstalled: nothing would remove them later.

Neither objects nor results nor anything in the evaluator is deleted. It may be run again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from pydantic import ValidationError

from nemo_eval_operator.clock import parse_timestamp
from nemo_eval_operator.lifecycle import FINALIZER, read_job
from nemo_eval_operator.lifecycle.job import left_running
from nemo_eval_operator.runtime.backoff import pauses

from .json_types import JsonObject
from .kube import (
    DeploymentClient,
    KubeClient,
    KubeRefused,
    KubeUnavailable,
    LeaseClient,
    LeaseSpec,
    ObjectGone,
    ObjectKey,
    Outdated,
)
from .resources import BENCHMARK_PLURAL, CONNECTION_PLURAL, EVALJOB_PLURAL, LabelSelector, ObjectMeta

__all__ = [
    "OperatorRunning",
    "Released",
    "Scope",
    "refuse_beside_an_operator",
    "release_finalizers",
    "remove_lease",
    "stop_deployment",
]

Say = Callable[[str], None]

Answer = TypeVar("Answer")

WRITERS: Final = 16
"""Objects let go at the same time: a quarter of what one client may ask of a small API server."""

PROGRESS_OBJECTS: Final = 500
"""Objects between two lines of progress."""

PASSES: Final = 10
"""Over all objects, until one finds nothing left to do: others may write while we read."""

FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 10.0
"""Longest pause in seconds before another pass, and before a request that was not answered is repeated, where
pauses double. The whole command has a time-out."""

PODS_PATIENCE_SECONDS: Final = 90.0
"""Seconds for the operator's pods to end: twice their grace period, since a pod of a lost node never ends."""

PODS_RECHECK_SECONDS: Final = 2.0

LEASE_PATIENCE_SECONDS: Final = 60
"""Seconds for a held Lease to expire; one that lasts longer is kept."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Objects that are released, in the terms of the operator's settings of these names."""

    namespaces: tuple[str, ...]
    selector: LabelSelector


@dataclass(slots=True)
class Released:
    """Result of the command."""

    found: set[ObjectKey] = field(default_factory=set)
    """Objects that had the finalizer."""
    left_running: set[ObjectKey] = field(default_factory=set)
    """Those of them whose remote job goes on; each was named at once."""
    held: dict[ObjectKey, str] = field(default_factory=dict)
    """Those that have the finalizer still, and why."""


class OperatorRunning(Exception):
    """An operator works on the objects: it would add the finalizer again."""


async def refuse_beside_an_operator(leases: LeaseClient, name: str, namespace: str | None, say: Say) -> None:
    """Raise OperatorRunning if a Lease of this name is held, in `namespace` or in any.

    An operator that runs without a lease is not noticed; its writes make objects count as not released.
    """
    try:
        found = await _patiently(lambda: leases.named(name, namespace), say)
    except KubeRefused as error:
        say(f"whether an operator runs is not known: {error}")
        return
    for lease in found:
        if _is_held(lease.spec, datetime.now(UTC)):
            raise OperatorRunning(
                f"an operator is running: {lease.spec.holder_identity} holds the lease "
                f"{lease.metadata.namespace}/{name}. Scale its Deployment to 0 first, or let this command do "
                "that: --stop-deployment NAMESPACE/NAME. If it is the operator of other objects, name your "
                "own operator's lease by --lease-namespace and --lease-name"
            )


def _is_held(spec: LeaseSpec, now: datetime) -> bool:
    """Return whether the lease has not run out. A renewal in the future counts as one."""
    if not spec.holder_identity or not spec.renew_time:
        return False
    # Subtracted, since a sum with the years that a Lease may have leaves the range of datetime.
    return now - parse_timestamp(spec.renew_time) < timedelta(seconds=spec.lease_duration_seconds or 0)


async def stop_deployment(deployments: DeploymentClient, namespace: str, name: str, say: Say) -> None:
    """Scale the operator to nothing and wait until its pods are gone: it would put finalizers back.

    Raises KubeRefused.
    """
    selector = await _patiently(lambda: deployments.scale(namespace, name, 0), say)
    if selector is None:
        say(f"there is no Deployment {namespace}/{name}: the operator is not running")
        return
    say(f"Deployment {namespace}/{name} is scaled to 0")
    try:
        async with asyncio.timeout(PODS_PATIENCE_SECONDS):
            while pods := await _patiently(lambda: deployments.pods(namespace, selector), say):
                say(f"waiting for {', '.join(pods)} to end")
                await asyncio.sleep(PODS_RECHECK_SECONDS)
    except TimeoutError:
        say(f"pods are still there after {PODS_PATIENCE_SECONDS:.0f} s: going on without waiting for them")


async def remove_lease(leases: LeaseClient, namespace: str, name: str, say: Say) -> None:
    """Delete the Lease of an operator that has ended; one that is still renewed is kept. Raises KubeError.

    A Lease without a holder was released. One with a holder is watched for its duration, as a standby does:
    the clocks of other machines are not relied on.
    """
    lease = await _patiently(lambda: leases.get(namespace, name), say)
    if lease is not None and (holder := lease.spec.holder_identity):
        seconds = lease.spec.lease_duration_seconds or 0
        say(f"Lease {namespace}/{name} is held by {holder}: waiting whether it is renewed")
        await asyncio.sleep(min(seconds + 1, LEASE_PATIENCE_SECONDS))
        latest = await _patiently(lambda: leases.get(namespace, name), say)
        if latest is not None and (latest != lease or seconds >= LEASE_PATIENCE_SECONDS):
            say(f"Lease {namespace}/{name} is kept: {holder} may still run")
            return
        lease = latest
    if lease is None:
        return
    expected = lease
    try:
        await _patiently(lambda: leases.delete(namespace, name, expected), say)
    except Outdated:
        say(f"Lease {namespace}/{name} is kept: it has just been acquired")
        return
    say(f"Lease {namespace}/{name} is deleted")


async def release_finalizers(kube: KubeClient, scope: Scope, say: Say) -> Released:
    """Remove our finalizer from every object of the scope.

    Raises KubeRefused where we may not list, Outdated where no list could be read to its end.
    """
    released = Released()
    for _ in range(PASSES):
        released.held.clear()
        # Jobs first: none of them needs its benchmark or its connection any more.
        again = [
            await _pass(kube, plural, scope, released, say)
            for plural in (EVALJOB_PLURAL, BENCHMARK_PLURAL, CONNECTION_PLURAL)
        ]
        if not any(again):
            return released
        await asyncio.sleep(FIRST_PAUSE_SECONDS)
    if not released.held:
        raise Outdated(f"the lists of objects were too old before they were read, {PASSES} times")
    return released


@dataclass(frozen=True, slots=True)
class _Held:
    """An object that has our finalizer, and what it would leave in the evaluator."""

    key: ObjectKey
    meta: ObjectMeta
    left_running: str | None


async def _pass(kube: KubeClient, plural: str, scope: Scope, released: Released, say: Say) -> bool:
    """Release all objects of a kind once; return True where another pass is needed."""
    try:
        held = iter(await _patiently(lambda: _held(kube, plural, scope), say))
    except Outdated:
        return True
    again = False

    async def release() -> None:
        nonlocal again
        for thing in held:
            # Not `again |= await …`, which reads `again` before the others have written it.
            if await _release(kube, thing, released, say):
                again = True

    async with asyncio.TaskGroup() as tasks:
        for _ in range(WRITERS):
            tasks.create_task(release())
    return again


async def _held(kube: KubeClient, plural: str, scope: Scope) -> list[_Held]:
    held = []
    for namespace in scope.namespaces or (None,):
        async for document in kube.list_all(plural, namespace, selector=scope.selector.text):
            meta = ObjectMeta.model_validate(document.get("metadata"))
            if FINALIZER in meta.finalizers:
                remains = _left_running(document) if plural == EVALJOB_PLURAL else None
                held.append(_Held(ObjectKey(plural, meta.namespace, meta.name), meta, remains))
    return held


def _left_running(document: JsonObject) -> str | None:
    try:
        job, _ = read_job(document)
    except ValidationError:
        return "possibly a remote job, as the object cannot be read"
    return left_running(job)


async def _release(kube: KubeClient, thing: _Held, released: Released, say: Say) -> bool:
    """Remove the finalizer of one object; return True where it was written since it was read."""
    key, remaining = thing.key, [name for name in thing.meta.finalizers if name != FINALIZER]
    # Said before it is done: should the answer get lost, the object looks like one that never had it.
    if thing.left_running is not None and key not in released.left_running:
        released.left_running.add(key)
        say(f"{key.namespace}/{key.name}: {thing.left_running} goes on in the evaluator")
    if key not in released.found:
        released.found.add(key)
        if len(released.found) % PROGRESS_OBJECTS == 0:
            say(f"{len(released.found)} objects so far")
    try:
        await _patiently(lambda: kube.replace_finalizers(key, thing.meta, remaining), say)
    except ObjectGone:
        return False
    except Outdated:
        released.held[key] = "it is being written all the time: does an operator still run?"
        return True
    except KubeRefused as error:
        released.held[key] = str(error)
    return False


async def _patiently(call: Callable[[], Awaitable[Answer]], say: Say) -> Answer:
    """Repeat the request while the API server does not answer; the caller has the time-out."""
    pause = pauses(first=FIRST_PAUSE_SECONDS, longest=LONGEST_PAUSE_SECONDS)
    while True:
        try:
            return await call()
        except KubeUnavailable as error:
            say(f"trying again: {error}")
            await asyncio.sleep(next(pause))
