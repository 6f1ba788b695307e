"""Reads the Secrets that specs name, at the moment they are used, and sees to it that nobody repeats them.

The operator may only `get` single Secrets: it neither lists nor watches them. So a change is
noticed when somebody reads: at each submission, and for benchmarks every RECHECK_SECONDS.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from nemo_eval_operator.evaluator import KnownSecrets
from nemo_eval_operator.kube import KubeClient, ObjectKey, Secret
from nemo_eval_operator.lifecycle import SecretValues, plain_secrets
from nemo_eval_operator.resources import (
    BENCHMARK_PLURAL,
    NemoBenchmark,
    NemoEvalJob,
    SecretVersion,
    ValueFrom,
)

__all__ = ["SECRET_RECHECK_SECONDS", "ReadSecrets", "SecretMissing", "SecretReader"]

SECRET_RECHECK_SECONDS: Final = 30.0
"""How long a new or changed Secret goes unnoticed at most. One GET a Secret, and only where one is named."""


MAX_REMEMBERED: Final = 10_000
"""Objects whose values are kept in memory; after a restart they are read again."""


class SecretMissing(Exception):
    """A Secret or key that spec.valuesFrom names is not there."""


@dataclass(frozen=True, slots=True)
class ReadSecrets:
    """What was read: the values by their target path, and of which versions they are."""

    values: SecretValues
    versions: list[SecretVersion]


class SecretReader:
    """Reads Secrets, each once a call, and remembers what was given to whom.

    `known` learns every value: no error of the evaluator's may show one. What may be echoed in
    larger things, such as results, is looked for by object (`known_to`), as each value costs a search.
    """

    def __init__(self, kube: KubeClient, known: KnownSecrets) -> None:
        self._kube = kube
        self._known = known
        self._given: OrderedDict[str, set[str]] = OrderedDict()

    async def read(self, thing: NemoBenchmark | NemoEvalJob) -> ReadSecrets:
        """What spec.valuesFrom of `thing` names. Raises SecretMissing, which says what to create."""
        secrets = await self._fetch(thing.metadata.namespace, thing.spec.values_from)
        values: dict[str, str] = {}
        for source in thing.spec.values_from:
            reference = source.secret_key_ref
            secret = secrets[reference.name]
            value = None if secret is None else secret.values.get(reference.key)
            if value is not None:
                values[source.target_path] = value
            elif not reference.optional:
                raise SecretMissing(_what_is_missing(thing, source, secret))
        self._remember(thing, values.values())
        return ReadSecrets(values, _versions(secrets))

    async def versions(self, benchmark: NemoBenchmark) -> list[SecretVersion]:
        """The versions of a benchmark's Secrets as they are now."""
        return _versions(await self._fetch(benchmark.metadata.namespace, benchmark.spec.values_from))

    async def known_to(self, job: NemoEvalJob) -> KnownSecrets:
        """What the evaluator was given for `job` and could echo.

        Read anew, as this process may have started since; a value that was rotated before
        that, while the job ran, is no longer known to anybody.
        """
        values = await self._values_of(job)
        if job.spec.benchmark_ref is not None:
            key = ObjectKey(BENCHMARK_PLURAL, job.metadata.namespace, job.spec.benchmark_ref.name)
            document = await self._kube.get(key)
            with suppress(ValidationError):
                if document is not None:
                    values |= await self._values_of(NemoBenchmark.model_validate(document))
        return KnownSecrets(values)

    async def _values_of(self, thing: NemoBenchmark | NemoEvalJob) -> set[str]:
        secrets = await self._fetch(thing.metadata.namespace, thing.spec.values_from)
        references = [source.secret_key_ref for source in thing.spec.values_from]
        found = [(secret, reference.key) for reference in references if (secret := secrets[reference.name])]
        return self._remember(thing, [secret.values[key] for secret, key in found if key in secret.values])

    def _remember(self, thing: NemoBenchmark | NemoEvalJob, values: Iterable[str]) -> set[str]:
        """All that `thing` ever gave the evaluator, as far as we saw it."""
        uid = thing.metadata.uid
        given = self._given.pop(uid, set()) | set(values) | set(plain_secrets(thing).values())
        if given:
            self._given[uid] = given
            self._known.learn(given)
        if len(self._given) > MAX_REMEMBERED:
            self._given.popitem(last=False)
        return given

    async def _fetch(self, namespace: str, sources: Iterable[ValueFrom]) -> dict[str, Secret | None]:
        names = {source.secret_key_ref.name for source in sources}
        return {name: await self._kube.get_secret(namespace, name) for name in sorted(names)}


def _versions(secrets: dict[str, Secret | None]) -> list[SecretVersion]:
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
