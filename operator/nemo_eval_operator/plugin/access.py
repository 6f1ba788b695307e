"""Access to the cluster with a kubeconfig or a pod's service account, and what its errors mean for a user."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from nemo_eval_operator.kube import (
    CredentialPluginFailed,
    Credentials,
    DeploymentClient,
    KubeClient,
    KubeConfigMissing,
    KubeError,
    KubeForbidden,
    KubeUnanswered,
    KubeUnauthorized,
    KubeUnavailable,
    LeaseClient,
    NoAnswerKind,
    ObjectGone,
    ObjectKey,
    UserClient,
    http_client,
    pod_namespace,
)
from nemo_eval_operator.lifecycle import read_job
from nemo_eval_operator.likely_names import most_like
from nemo_eval_operator.resources import EVALJOB_PLURAL, NemoEvalJob

from .exit_codes import CommandFailed, ExitCode
from .screen import clean

__all__ = ["Access", "Cluster", "explain", "missing_right", "problem_of", "with_cluster"]

ResultT = TypeVar("ResultT")

USERS_KUBECONFIG: Final = Path("~/.kube/config")
"""Kubeconfig that is used where no other one is named."""

MAX_NAMES: Final = 1000
"""Names that one which was not found is compared with: two pages of the list."""

FORBIDDEN: Final = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]*)"'
    r' in API group "(?P<group>[^"]*)"(?: in the namespace "(?P<namespace>[^"]*)")?'
)
"""The API server's message of a request that RBAC does not allow."""


ANONYMOUS: Final = "system:anonymous"
"""The API server's user of a request without credentials."""

LOG_IN: Final = "log in again, or name another context with --context"

RENEW: Final = f"Install the plugin or {LOG_IN}"
"""What a user does where the kubeconfig's credential plugin fails."""

SET_ANOTHER: Final = "Set --kubeconfig, --context or KUBECONFIG"
"""What a user does where a kubeconfig cannot be used."""

MAX_PROBLEM_CHARACTERS: Final = 1000
"""Of a credential plugin's own text."""

CHECKS: Final = {
    NoAnswerKind.ADDRESS: (
        "Check the context with `kubectl config current-context`, and the server with `kubectl cluster-info`"
    ),
    NoAnswerKind.CERTIFICATE: (
        "Check certificate-authority and server in the kubeconfig with `kubectl config view --minify`"
    ),
    NoAnswerKind.SERVER: "Try again later, or check it with `kubectl cluster-info`",
}
"""What a user does where the API server did not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Options that say where objects are; None: as the kubeconfig's current context has it."""

    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """An open connection to the cluster."""

    kube: KubeClient
    user: UserClient
    leases: LeaseClient
    deployments: DeploymentClient
    namespace: str

    async def job(self, name: str) -> NemoEvalJob:
        """Return the job. Raises CommandFailed where it does not exist, KubeError."""
        key = self.key(name)
        document, _ = await self.kube.read(key)
        if document is None:
            raise await self.not_found(key, "NemoEvalJob", "kubectl nemoeval get -A")
        return read_job(document)[0]

    async def not_found(self, key: ObjectKey, kind: str, listing: str) -> CommandFailed:
        """Return the error for an object that does not exist, with the name that may be meant.

        `listing`: the command that lists those that exist.
        """
        if await self.lacks_namespace():
            return self.no_namespace()
        message = f"{kind} {key.name} was not found in namespace {key.namespace}; "
        near = most_like(key.name, await self._names(key.plural))
        advice = f"did you mean {near}?" if near else f"list those that exist with `{listing}`"
        return CommandFailed(message + advice, ExitCode.NOT_FOUND)

    async def _names(self, plural: str) -> list[str]:
        """Return the names of the first objects of the namespace; none where they cannot be listed."""
        found: list[str] = []
        try:
            async for name in self.kube.list_names(plural, self.namespace):
                found.append(name)
                if len(found) == MAX_NAMES:
                    break
        except KubeError:
            # They are advice only; the names that were read suffice.
            pass
        return found

    async def lacks_namespace(self) -> bool:
        """Return whether the namespace certainly does not exist: not every user may read namespaces."""
        try:
            return not await self.user.has_namespace(self.namespace)
        except KubeError:
            return False

    def no_namespace(self) -> CommandFailed:
        """Return the error for a namespace that does not exist."""
        return CommandFailed(
            f"namespace {self.namespace} does not exist: name another one with -n, or list them with "
            "`kubectl get namespaces`",
            ExitCode.NOT_FOUND,
        )

    def key(self, name: str) -> ObjectKey:
        return ObjectKey(EVALJOB_PLURAL, self.namespace, name)


def with_cluster(access: Access, command: Callable[[Cluster], Awaitable[ResultT]]) -> ResultT:
    """Return what the command returns, which is given a connection. Raises CommandFailed."""
    try:
        credentials, own_namespace = _credentials(access)
        namespace = access.namespace or own_namespace
        client = http_client(credentials)
    except KubeConfigMissing as error:
        problem = clean(" ".join(str(error).split()), MAX_PROBLEM_CHARACTERS).rstrip(".") + _missing_files(
            access
        )
        advice = RENEW if isinstance(error, CredentialPluginFailed) else SET_ANOTHER
        message = f"no access to a cluster: {problem}. {advice}"
        raise CommandFailed(message, ExitCode.UNAVAILABLE) from error

    async def run() -> ResultT:
        async with client as http:
            return await command(
                Cluster(
                    kube=KubeClient(http),
                    user=UserClient(http),
                    leases=LeaseClient(http),
                    deployments=DeploymentClient(http),
                    namespace=namespace,
                )
            )

    try:
        return asyncio.run(run())
    except KubeError as error:
        raise explain(error) from error


def _credentials(access: Access) -> tuple[Credentials, str]:
    """Return credentials, and the namespace that they come with. Raises KubeConfigMissing.

    Like kubectl, use a pod's service account only where there is no kubeconfig.
    """
    chosen = access.kubeconfig or access.context or os.environ.get("KUBECONFIG")
    if not chosen and not USERS_KUBECONFIG.expanduser().exists() and (namespace := pod_namespace()):
        return Credentials.find(None), namespace
    # Imported here: a pod that only waits does not need the official client, which is slow to load.
    from nemo_eval_operator.kube.kubeconfig import context_namespace  # noqa: PLC0415

    credentials = Credentials.of_kubeconfig(access.kubeconfig, access.context)
    return credentials, context_namespace(access.kubeconfig, access.context)


def _missing_files(access: Access) -> str:
    """Return the kubeconfig files that do not exist, in parentheses."""
    named = str(access.kubeconfig or os.environ.get("KUBECONFIG") or USERS_KUBECONFIG)
    missing = [one for one in named.split(os.pathsep) if one and not Path(one).expanduser().exists()]
    return "".join(f" ({one} does not exist)" for one in missing)


def explain(error: KubeError) -> CommandFailed:
    """Return what an error of the Kubernetes API means for the user, and what to do."""
    if (missing := missing_right(error)) is not None:
        return CommandFailed(missing, ExitCode.NOT_FOUND)
    text = " ".join(str(error).split())
    match error:
        case KubeUnavailable():
            kind = error.cause.kind if isinstance(error, KubeUnanswered) else NoAnswerKind.SERVER
            return CommandFailed(f"{problem_of(error)}. {CHECKS[kind]}", ExitCode.UNAVAILABLE)
        case ObjectGone():
            return CommandFailed(f"{text}. Check the name and the namespace", ExitCode.NOT_FOUND)
        case _:
            return CommandFailed(text)


def problem_of(error: KubeUnavailable) -> str:
    """Return why a request was not answered, in one line without advice."""
    if isinstance(error, KubeUnanswered):
        return f"the Kubernetes API at {error.server} {error.cause.problem}"
    return f"the Kubernetes API: {' '.join(str(error).split())}"


def missing_right(error: KubeError) -> str | None:
    """Return which right the user lacks; None for an error of another kind."""
    if not isinstance(error, KubeForbidden):
        return None
    if isinstance(error, KubeUnauthorized):
        where = f"the Kubernetes API at {error.server}"
        return f"{where} does not accept the credentials of the kubeconfig (401): {LOG_IN}"
    found = FORBIDDEN.search(str(error))
    if found is None:
        return f"{' '.join(str(error).split())}. Check the kubeconfig's user with `kubectl auth whoami`"
    if found["user"] == ANONYMOUS:
        return f"the kubeconfig has no credentials ({ANONYMOUS}): {LOG_IN}"
    resource = ".".join(part for part in (found["resource"], found["group"]) if part)
    where, role = "in all namespaces", "ClusterRole"
    if found["namespace"]:
        where, role = f"in namespace {found['namespace']}", "Role"
    return (
        f"{found['user']} may not {found['verb']} {resource} {where}: "
        f"ask for a {role} with the verb {found['verb']} on {resource}"
    )
