"""Secrets that specs name, read at the moment they are used.

The operator may only `get` single Secrets: it neither lists nor watches them. So a change is noticed at the
next read: at each submission, and for benchmarks every minute.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.evaluator.model import MAX_SECRET_CHARACTERS, MAX_SECRET_LINES, fits
from nemo_eval_operator.kube import KubeClient, ObjectKey, Secret
from nemo_eval_operator.lifecycle.requests import SecretValues, not_released, plain_secrets
from nemo_eval_operator.reasons import Reason
from nemo_eval_operator.resources import (
    BENCHMARK_PLURAL,
    NemoBenchmark,
    NemoEvalJob,
    SecretVersion,
    ValueFrom,
)
from nemo_eval_operator.sessions import SecretStore, WithheldSecret

__all__ = ["SECRET_RECHECK_SECONDS", "Given", "ReadSecrets", "SecretMissing", "SecretReader", "remember"]

SECRET_RECHECK_SECONDS: Final = 30.0
"""Seconds between two reads of a Secret that is missing."""


class SecretMissing(Exception):
    """A Secret in spec.valuesFrom is missing, not readable or not usable; the message says what to do.

    `reason` is the reason of the condition.
    """

    def __init__(self, message: str, *, reason: Reason = Reason.SECRET_NOT_FOUND) -> None:
        self.reason = reason
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Given:
    """Values that an evaluator receives for an object: read from Secrets, and plain ones in the spec."""

    read: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()

    def __add__(self, other: Given) -> Given:
        return Given((*self.read, *other.read), (*self.plain, *other.plain))


@dataclass(frozen=True, slots=True)
class ReadSecrets:
    """Values by target path, the versions of their Secrets, and everything that is masked."""

    values: SecretValues
    versions: list[SecretVersion]
    given: Given = Given()


def remember(client: EvaluatorClient, key: ObjectKey, given: Given) -> None:
    """Mask in all texts about the object what the evaluator behind `client` receives for it."""
    client.known.keep(key, key.namespace, read=given.read, plain=given.plain)


class SecretReader:
    """Reads Secrets, each once a call."""

    def __init__(self, kube: KubeClient, store: SecretStore | None = None) -> None:
        self._kube = kube
        self._store = store or SecretStore(kube)

    async def read(self, thing: NemoBenchmark | NemoEvalJob) -> ReadSecrets:
        """Read the values of spec.valuesFrom. Raises SecretMissing, which says what to create."""
        secrets = await self._fetch(thing)
        values: dict[str, str] = {}
        for index, source in enumerate(thing.spec.values_from):
            reference = source.secret_key_ref
            secret = secrets[reference.name]
            if isinstance(secret, WithheldSecret):
                field = f"spec.valuesFrom[{index}].secretKeyRef"
                message = not_released(field, thing.metadata.namespace, reference.name)
                raise SecretMissing(message, reason=Reason.SECRET_NOT_ALLOWED)
            value = None if secret is None else secret.values.get(reference.key)
            if value is not None:
                values[source.target_path] = value
            elif not reference.optional:
                raise SecretMissing(_what_is_missing(thing, source, secret))
        if not fits(values.values()):
            raise SecretMissing(
                f"spec.valuesFrom: the values have more than {MAX_SECRET_CHARACTERS:,} characters or "
                f"{MAX_SECRET_LINES} lines together. Refer to keys that hold credentials alone",
                reason=Reason.SECRET_TOO_LARGE,
            )
        return ReadSecrets(values, _versions(secrets), _given(thing, secrets))

    async def given(self, benchmark: NemoBenchmark) -> Given:
        """Return what the evaluator received for a benchmark, as far as the Secrets still exist."""
        return _given(benchmark, await self._fetch(benchmark))

    async def versions(self, benchmark: NemoBenchmark) -> list[SecretVersion]:
        """The versions of a benchmark's Secrets as they are now."""
        return _versions(await self._fetch(benchmark))

    async def recall(self, job: NemoEvalJob) -> Given:
        """Read again what the evaluator received for `job`: this process may have started since.

        A value that was rotated before that, while the job ran, is no longer known.
        """
        given = _given(job, await self._fetch(job))
        if job.spec.benchmark_ref is not None:
            key = ObjectKey(BENCHMARK_PLURAL, job.metadata.namespace, job.spec.benchmark_ref.name)
            document = await self._kube.get(key)
            with suppress(ValidationError):
                if document is not None:
                    given += await self.given(NemoBenchmark.model_validate(document))
        return given

    async def _fetch(self, thing: NemoBenchmark | NemoEvalJob) -> dict[str, Secret | WithheldSecret | None]:
        names = sorted({source.secret_key_ref.name for source in thing.spec.values_from})
        return {name: await self._store.get(thing.metadata.namespace, name) for name in names}


def _given(thing: NemoBenchmark | NemoEvalJob, secrets: dict[str, Secret | WithheldSecret | None]) -> Given:
    references = [source.secret_key_ref for source in thing.spec.values_from]
    read = (
        secret.values[reference.key]
        for reference in references
        if isinstance(secret := secrets[reference.name], Secret) and reference.key in secret.values
    )
    return Given(tuple(read), tuple(plain_secrets(thing).values()))


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
