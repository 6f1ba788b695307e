"""A tenant that tries to disturb all others, from a namespace and with an account of its own."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from testbed.chaos.objects import Objects
from testbed.chaos.workload import QUESTIONS
from testbed.cluster import Cluster

__all__ = ["HostileTenant", "prepare_tenant"]

_API: Final = "evaluator.nemo.dev"
_ACCOUNT: Final = "hostile"
_KINDS: Final = ("nemobenchmarks", "nemoevaljobs", "nemoevaluatorconnections")
_WORDS: Final = ("metrics", "tasks", "k8s-uid", "k8s-attempt", "completed", "results", "rows", "eval")
"""Words of the protocol; as credentials they would be hidden in what others see."""

_MAX_LARGE: Final = 2
_LARGE_LISTS: Final = 200_000
_ODD_URLS: Final = ("http://xn--", "http://[::1", "http://127.0.0.1:1", "https://127.0.0.1:1")
_ACTS_A_ROUND: Final = 3

Manifest = dict[str, Any]


class Writer(Protocol):
    """What writes with the tenant's account, and says whether the API server took it."""

    def try_to_create(self, manifest: Manifest) -> bool: ...

    def try_to_patch(self, plural: str, name: str, patch: Manifest) -> bool: ...


def prepare_tenant(cluster: Cluster, namespace: str) -> Objects:
    """Make the namespace and its account, which has all rights on the kinds there and no right elsewhere."""
    cluster.kubectl("create", "namespace", namespace)
    resources = [name for kind in _KINDS for name in (kind, f"{kind}/status")]
    rules = [{"apiGroups": [_API], "resources": resources, "verbs": ["*"]}]
    return Objects(cluster.create_account(namespace, _ACCOUNT, rules), namespace)


@dataclass
class HostileTenant:
    """`objects` by its own account; `victims` is the namespace whose configs it wants.

    It wants them once they exist (`configs_exist`). Without NEMO_NAMESPACE_MAP a name that is still free
    belongs to the first namespace that uses it, which docs/security.md says.
    """

    objects: Writer
    victims: str
    evaluator_url: str
    dice: random.Random
    configs_exist: bool = False
    tried: int = 0
    refused: int = 0
    connections: int = 0
    _large: list[str] = field(default_factory=list)
    _jobs: list[str] = field(default_factory=list)

    def act(self) -> None:
        """Do some of what it can think of."""
        acts: list[Callable[[], None]] = [
            self._connect,
            self._evaluate_there,
            self._take_a_config,
            self._hide_words,
            self._forge_marks,
            self._forge_a_status,
            self._write_much,
            self._churn,
        ]
        for act in self.dice.sample(acts, k=_ACTS_A_ROUND):
            act()

    def _connect(self) -> None:
        """Two connections more; each may take workers, memory and time."""
        for url in (self.evaluator_url, self.dice.choice((*_ODD_URLS, self.evaluator_url))):
            self.connections += 1
            spec = {"url": url, "timeouts": {"requestSeconds": 3}}
            self._create("NemoEvaluatorConnection", f"hostile-{self.connections}", spec)

    def _evaluate_there(self) -> None:
        ref = {"name": f"hostile-{self.dice.randint(1, max(1, self.connections))}"}
        name = self._name("there")
        self._create("NemoBenchmark", name, {"evaluatorRef": ref, "config": _config()})
        self._create_job(name, {"evaluatorRef": ref, "config": _config(), "target": _target()})

    def _take_a_config(self) -> None:
        if not self.configs_exist:
            return
        config = {**_config(), "namespace": self.victims, "name": self.dice.choice(["rows", "chat"])}
        adopting = {"annotations": {f"{_API}/adopt": "true"}}
        self._create("NemoBenchmark", self._name("theft"), {"config": config}, adopting)

    def _hide_words(self) -> None:
        word = self.dice.choice(_WORDS)
        config = {**_config(), "params": {"extra": {"api_key": word, "hf_token": word}}}
        self._create_job(self._name("word"), {"config": config, "target": _target()})

    def _forge_marks(self) -> None:
        """Marks of an earlier run: each is to cost a look-up."""
        forged = {f"{_API}/claimed-by-uid": "forged", f"{_API}/claimed-for": '{"url": "http://127.0.0.1:1"}'}
        config = {
            **_config(),
            "custom_fields": {"k8s-uid": "forged", "k8s-name": "quick-1", "k8s-attempt": "1"},
        }
        meta = {"annotations": forged, "finalizers": [f"{_API}/finalizer"]}
        self._create_job(self._name("forged"), {"config": config, "target": _target()}, meta)

    def _forge_a_status(self) -> None:
        if self._jobs:
            forged = {"jobId": "eval-1\u001b[31m\nforged", "phase": "Running", "attempt": 99}
            self._patch("nemoevaljobs", f"{self.dice.choice(self._jobs)}/status", {"status": forged})

    def _write_much(self) -> None:
        if len(self._large) < _MAX_LARGE:
            name = self._name("large")
            config = {**_config(), "params": {"extra": {"x": [[] for _ in range(_LARGE_LISTS)]}}}
            self._create("NemoBenchmark", name, {"config": config})
            self._large.append(name)

    def _churn(self) -> None:
        for name in self._large:
            labels = {"turn": str(self.tried)}
            self._patch("nemobenchmarks", name, {"metadata": {"labels": labels}})

    def _name(self, what: str) -> str:
        return f"hostile-{what}-{self.tried}"

    def _create_job(self, name: str, spec: Manifest, meta: Manifest | None = None) -> None:
        self._create("NemoEvalJob", name, spec, meta)
        self._jobs.append(name)

    def _create(self, kind: str, name: str, spec: Manifest, meta: Manifest | None = None) -> None:
        metadata = {"name": name, **(meta or {})}
        manifest = {"apiVersion": f"{_API}/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}
        self._count(done=self.objects.try_to_create(manifest))

    def _patch(self, plural: str, name: str, patch: Manifest) -> None:
        self._count(done=self.objects.try_to_patch(plural, name, patch))

    def _count(self, *, done: bool) -> None:
        self.tried += 1
        self.refused += not done


def _config() -> Manifest:
    check = ["{{item.output}}", "equals", "{{item.answer}}"]
    metrics = {"exact": {"type": "string-check", "params": {"check": check}}}
    return {"type": "custom", "tasks": {"qa": {"type": "data", "metrics": metrics}}}


def _target() -> Manifest:
    return {"type": "rows", "rows": QUESTIONS}
