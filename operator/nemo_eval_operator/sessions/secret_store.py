"""Single Secrets by name, as far as the administrator lets the operator read them."""

from __future__ import annotations

from dataclasses import dataclass

from nemo_eval_operator.kube import KubeClient, Secret
from nemo_eval_operator.lifecycle.requests import is_released

__all__ = ["SecretStore", "WithheldSecret"]


@dataclass(frozen=True, slots=True)
class WithheldSecret:
    """A Secret that exists, but that its owner has not released; its values are not kept."""

    uid: str
    resource_version: str


class SecretStore:
    """Reader of Secrets; with `require_label` only of those that carry the label of `secret_guard`."""

    def __init__(self, kube: KubeClient, *, require_label: bool = False) -> None:
        self._kube = kube
        self._require_label = require_label

    async def get(self, namespace: str, name: str) -> Secret | WithheldSecret | None:
        """Return the current Secret; None where it does not exist. Raises KubeError."""
        secret = await self._kube.get_secret(namespace, name)
        if secret is None or not self._require_label or is_released(secret.labels):
            return secret
        return WithheldSecret(secret.uid, secret.resource_version)
