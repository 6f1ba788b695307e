"""Reads what a connection needs to get in: tokens, headers, certificates.

From Secrets and ConfigMaps of the connection's own namespace only: the key has no place for another,
and nothing but `connection.metadata.namespace` is ever asked.
"""

from __future__ import annotations

from typing import Final

from nemo_eval_operator.evaluator.http import Access, Certificates
from nemo_eval_operator.evaluator.model import MAX_SECRET_CHARACTERS, MAX_SECRET_LINES, fits
from nemo_eval_operator.kube import KubeClient, KubeRefused, key_of
from nemo_eval_operator.lifecycle.requests import not_released
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import KeyRef, NemoEvaluatorConnection, ObjectMeta

from .secret_store import SecretStore, WithheldSecret

__all__ = ["CredentialsMissing", "CredentialsReader"]

CERTIFICATE: Final = "tls.crt"
PRIVATE_KEY: Final = "tls.key"
"""Keys of a Secret of type kubernetes.io/tls."""


class CredentialsMissing(Exception):
    """A Secret, ConfigMap or key that the connection names is missing or unusable; the message names it."""

    def __init__(self, message: str, *, stalled: bool = False, gone: bool = False) -> None:
        self.reason = Reason.CONNECTION_NOT_READY
        self.stalled = stalled
        self.gone = gone
        """True where the Secret, ConfigMap or key does not exist, as after a deletion."""
        super().__init__(message)


class CredentialsReader:
    """Reads each time; the values are kept by the evaluator that they are for."""

    def __init__(self, kube: KubeClient, store: SecretStore | None = None, *, loopback: bool) -> None:
        self._kube = kube
        self._store = store or SecretStore(kube)
        self._loopback = loopback

    async def exists(self, connection: NemoEvaluatorConnection) -> bool:
        """Return whether the connection, of which this may be an old copy, still exists.

        Raises KubeError.
        """
        document, _ = await self._kube.read(key_of(connection))
        meta = None if document is None else ObjectMeta.model_validate(document.get("metadata"))
        return meta is not None and meta.uid == connection.metadata.uid

    async def read(self, connection: NemoEvaluatorConnection) -> Access:
        """Raises CredentialsMissing."""
        try:
            access = Access(
                headers=await self._headers(connection),
                certificates=await self._certificates(connection),
                loopback=self._loopback,
                group=connection.metadata.namespace,
            )
        except KubeRefused as error:
            raise CredentialsMissing(f"what it refers to may not be read: {error}") from error
        if not fits(access.secrets):
            raise CredentialsMissing(
                "spec.auth and spec.tls: the values of the Secrets have more than "
                f"{MAX_SECRET_CHARACTERS:,} characters or {MAX_SECRET_LINES} lines together. Refer to keys "
                "that hold credentials alone",
                stalled=True,
            )
        return access

    async def _headers(self, connection: NemoEvaluatorConnection) -> dict[str, str]:
        auth, headers = connection.spec.auth, dict[str, str]()
        if auth is None:
            return headers
        for index, header in enumerate(auth.headers):
            field = f"spec.auth.headers[{index}]"
            headers[header.name] = await self._header_value(connection, header.secret_key_ref, field)
        if auth.bearer_token is not None:
            token = await self._header_value(connection, auth.bearer_token, "spec.auth.bearerToken")
            headers["Authorization"] = f"Bearer {token}"
        return headers

    async def _header_value(self, connection: NemoEvaluatorConnection, ref: KeyRef, field: str) -> str:
        # Files end with a line break, and so do Secrets that were made of them.
        value = (await self._secret(connection, ref.name, ref.key, field)).strip()
        if not value or not value.isascii() or not value.isprintable():
            raise CredentialsMissing(
                f"{field}: key {ref.key!r} of Secret {ref.name} has to be one line of ASCII characters, "
                "as it is sent in a header",
                stalled=True,
            )
        return value

    async def _certificates(self, connection: NemoEvaluatorConnection) -> Certificates:
        tls, own = connection.spec.tls, None
        if tls is None:
            return Certificates()
        if tls.client_certificate is not None:
            name, field = tls.client_certificate.name, "spec.tls.clientCertificate"
            certificate = await self._secret(connection, name, CERTIFICATE, field)
            own = (certificate, await self._secret(connection, name, PRIVATE_KEY, field))
        return Certificates(
            ca=await self._authority(connection), own=own, verify=not tls.insecure_skip_verify
        )

    async def _authority(self, connection: NemoEvaluatorConnection) -> str | None:
        ca = connection.spec.tls.ca if connection.spec.tls else None
        if ca is None:
            return None
        if ca.secret_key_ref is not None:
            ref, field = ca.secret_key_ref, "spec.tls.ca.secretKeyRef"
            return await self._secret(connection, ref.name, ref.key, field)
        if ca.config_map_key_ref is not None:
            ref, namespace = ca.config_map_key_ref, connection.metadata.namespace
            texts = await self._kube.get_config_map(namespace, ref.name)
            if texts is None or ref.key not in texts:
                raise _missing("spec.tls.ca.configMapKeyRef", f"ConfigMap {namespace}/{ref.name}", ref.key)
            return texts[ref.key]
        return None

    async def _secret(self, connection: NemoEvaluatorConnection, name: str, key: str, field: str) -> str:
        namespace = connection.metadata.namespace
        secret = await self._store.get(namespace, name)
        if isinstance(secret, WithheldSecret):
            raise CredentialsMissing(not_released(field, namespace, name))
        value = None if secret is None else secret.values.get(key)
        if value is None:
            raise _missing(field, f"Secret {namespace}/{name}", key)
        return value


def _missing(field: str, what: str, key: str) -> CredentialsMissing:
    return CredentialsMissing(f"{field}: there is no {what} with text under the key {key!r}", gone=True)
