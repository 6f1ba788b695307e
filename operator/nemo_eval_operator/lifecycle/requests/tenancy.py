"""The administrator's rules for Kubernetes namespaces that share an evaluator. Pure.

Specs are written by tenants. What is checked here are names and values that would reach what belongs to
another tenant. The config itself is judged by its mark (`marks`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic import JsonValue

from nemo_eval_operator.evaluator.model import MASK
from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.resources import CONFIG_NAME

from .target_paths import UnusableSpec

__all__ = ["Tenancy", "check_name", "check_values"]

MAX_NAMES_SHOWN: Final = 5
MAX_NAME_SHOWN: Final = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenancy:
    """The administrator's rules for namespaces that share an evaluator.

    `cluster` names this cluster in marks, for evaluators that several clusters share. `nemo_namespaces` are
    the NeMo namespaces of each Kubernetes namespace; empty: any name may be used. `adopt_foreign`: whether
    the annotation evaluator.nemo.dev/adopt also covers configs of other Kubernetes namespaces.
    """

    cluster: str = ""
    nemo_namespaces: Mapping[str, Sequence[str]] = field(default_factory=dict)
    adopt_foreign: bool = False

    def check_namespace(self, namespace: str, wanted: str | None) -> None:
        """Raise UnusableSpec where objects of Kubernetes namespace `namespace` may not use NeMo's `wanted`.

        `wanted` None: spec.config names none. A Kubernetes namespace that the map does not name may use the
        NeMo namespace of its own name, unless that is another's.
        """
        if not self.nemo_namespaces:
            return
        others = {name for names in self.nemo_namespaces.values() for name in names}
        own = () if namespace in others else (namespace,)
        allowed = self.nemo_namespaces.get(namespace, own)
        if (wanted or namespace) in allowed:
            return
        named = ", ".join(allowed[:MAX_NAMES_SHOWN]) + (", …" if len(allowed) > MAX_NAMES_SHOWN else "")
        rule = f"may use {named} only" if allowed else "may use no NeMo namespace"
        said = f"is {_shown(wanted)}" if wanted else f"is not set, which means {namespace}"
        raise UnusableSpec(
            f"spec.config.namespace {said}, but by the operator's NEMO_NAMESPACE_MAP Kubernetes namespace "
            f"{namespace} {rule}. Delete the object and create it again with an allowed name, or ask "
            "the administrator"
        )


def check_name(path: str, name: str | None) -> None:
    """Raise UnusableSpec where `name`, the value of field `path`, is not fit to be a part of a URL path."""
    if name is not None and not re.fullmatch(CONFIG_NAME, name):
        raise UnusableSpec(
            f"{path} is {_shown(name)}: begin it with a letter or digit, and use only letters, digits and "
            f"._@+~:- (at most 255 characters)"
        )


def check_values(body: JsonObject, path: str) -> None:
    """Raise UnusableSpec where a value of `body` is the mask that servers show in place of a secret.

    In an update the mask keeps the secret that the server has, which may be another owner's. `path` is where
    `body` is in the object.
    """
    for masked in _masked(body, path):
        raise UnusableSpec(
            f"{masked} is {MASK}, which evaluators show in place of a secret and which would keep a secret "
            "that is stored there. Put the secret itself there with spec.valuesFrom, or remove the field"
        )


def _masked(value: JsonValue, path: str) -> Iterator[str]:
    match value:
        case str() if value.strip() == MASK:
            yield path
        case dict():
            for key, part in value.items():
                yield from _masked(part, f"{path}.{key}")
        case list():
            for index, part in enumerate(value):
                yield from _masked(part, f"{path}[{index}]")
        case _:
            return


def _shown(name: str) -> str:
    return repr(name if len(name) <= MAX_NAME_SHOWN else f"{name[:MAX_NAME_SHOWN]}…")
