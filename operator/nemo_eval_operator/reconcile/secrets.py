"""Reads the Secrets that specs name, at the moment they are used, and sees to it that nobody repeats them.

The operator may only `get` single Secrets: it neither lists nor watches them. So a change is
noticed when somebody reads: at each submission, and for benchmarks every minute.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from nemo_eval_operator.evaluator import KnownSecrets
from nemo_eval_operator.kube import KubeClient, ObjectKey, Secret
from nemo_eval_operator.lifecycle import SecretValues, not_released, plain_secrets
from nemo_eval_operator.resources import (
    BENCHMARK_PLURAL,
    NemoBenchmark,
    NemoEvalJob,
    SecretVersion,
    ValueFrom,
)

from .secret_store import SecretStore, WithheldSecret

__all__ = ["SECRET_RECHECK_SECONDS", "ReadSecrets", "SecretMissing", "SecretReader"]

SECRET_RECHECK_SECONDS: Final = 30.0
"""How long a Secret that was missing goes unnoticed at most: somebody is waiting for it."""


class SecretMissing(Exception):
    """A Secret or key that spec.valuesFrom names is not there, or may not be read; says what to do."""

    def __init__(self, message: str, *, reason: str = "SecretNotFound") -> None:
        self.reason = reason
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class ReadSecrets:
    """What was read: the values by their target path, and of which versions they are."""

    values: SecretValues
    versions: list[SecretVersion]


class SecretReader:
    """Reads Secrets, each once a call. `known` learns every value: none is shown, whoever repeats it."""

    def __init__(self, kube: KubeClient, known: KnownSecrets, store: SecretStore | None = None) -> None:
        self._kube = kube
        self._store = store or SecretStore(kube)
        self.known = known

    async def read(self, thing: NemoBenchmark | NemoEvalJob) -> ReadSecrets:
        """What spec.valuesFrom of `thing` names. Raises SecretMissing, which says what to create."""
        secrets = await self._fetch(thing)
        values: dict[str, str] = {}
        for index, source in enumerate(thing.spec.values_from):
            reference = source.secret_key_ref
            secret = secrets[reference.name]
            if isinstance(secret, WithheldSecret):
                field = f"spec.valuesFrom[{index}].secretKeyRef"
                message = not_released(field, thing.metadata.namespace, reference.name)
                raise SecretMissing(message, reason="SecretNotAllowed")
            value = None if secret is None else secret.values.get(reference.key)
            if value is not None:
                values[source.target_path] = value
            elif not reference.optional:
                raise SecretMissing(_what_is_missing(thing, source, secret))
        return ReadSecrets(values, _versions(secrets))

    async def versions(self, benchmark: NemoBenchmark) -> list[SecretVersion]:
        """The versions of a benchmark's Secrets as they are now."""
        return _versions(await self._fetch(benchmark))

    async def recall(self, job: NemoEvalJob) -> None:
        """Learn again what the evaluator was given for `job`: this process may have started since.

        A value that was rotated before that, while the job ran, is no longer known to anybody.
        """
        await self._fetch(job)
        if job.spec.benchmark_ref is not None:
            key = ObjectKey(BENCHMARK_PLURAL, job.metadata.namespace, job.spec.benchmark_ref.name)
            document = await self._kube.get(key)
            with suppress(ValidationError):
                if document is not None:
                    await self._fetch(NemoBenchmark.model_validate(document))

    async def _fetch(self, thing: NemoBenchmark | NemoEvalJob) -> dict[str, Secret | WithheldSecret | None]:
        """The Secrets that `thing` names; their values and those in its spec are known from now on."""
        references = [source.secret_key_ref for source in thing.spec.values_from]
        names = sorted({reference.name for reference in references})
        secrets = {name: await self._store.get(thing.metadata.namespace, name) for name in names}
        self.known.learn(plain_secrets(thing).values())
        self.known.learn(
            secret.values[reference.key]
            for reference in references
            if isinstance(secret := secrets[reference.name], Secret) and reference.key in secret.values
        )
        return secrets


def _versions(secrets: dict[str, Secret | WithheldSecret | None]) -> list[SecretVersion]:
    return [
        SecretVersion(name=name, uid=secret.uid, resource_version=secret.resource_version)
        for name, secret in secrets.items()
        if secret is not None
    ]


def _what_is_missing(thing: NemoBenchmark | NemoEvalJob, source: ValueFrom, secret: Secret | None) -> str:
    reference = source.secret_key_ref
    name = f"Secret {thing.metadata.namespace}/{reference.name}"
    lack = "does not exist" if secret is None else "has no such key, or no text there"
    return f"{name} with key {reference.key!r} is needed for {source.target_path}: it {lack}"
