"""Recognizes a document: a v1 config or job body, a Llama Stack registration, or a launcher config."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from nemo_eval_operator.json_types import JsonObject

from .launcher import LauncherOptions, of_launcher
from .mapping import ImportRefused, Notes, benchmark, joined, object_name, refuse_others, run_of

__all__ = ["Imported", "imported"]

JOB_FIELDS: Final = frozenset({"config", "target"})

JOB_WRITTEN: Final = frozenset(
    {
        *("id", "created_at", "updated_at", "schema_version", "type_prefix"),
        *("status", "status_details", "result", "output_files_url"),
    }
)
"""Fields of a job that the evaluator writes."""

LLAMA_STACK_FIELDS: Final = frozenset({"benchmark_id", "metadata", "type", "identifier"})

LLAMA_STACK_UNUSED: Final = frozenset({"dataset_id", "scoring_functions"})
"""Fields that a registration needs, and that Llama Stack's provider for NeMo Evaluator does not send on."""


@dataclass(frozen=True, slots=True)
class Imported:
    """Manifests in the order to apply them in, and what a person should know."""

    manifests: list[JsonObject]
    notes: Notes


def imported(
    document: JsonValue, *, name: str | None, ignore: Collection[str], secret: str | None
) -> Imported:
    """Return the manifests of a document.

    `name`: of the objects, where the document has none that fits. `ignore`: paths of fields to leave out.
    `secret`: the Secret with API keys that a launcher config refers to by environment variables. Raises
    ImportRefused.
    """
    if not isinstance(document, dict):
        raise ImportRefused("expected an object: a config, a job body, a registration or a launcher config")
    if name is not None and object_name(name, "--name") != name:
        raise ImportRefused(f"--name: {name!r} cannot be the name of an object: use a-z, 0-9, - and .")
    notes: Notes = []
    left = document
    for path in ignore:
        rest = _without(left, path)
        if rest == left or not isinstance(rest, dict):
            raise ImportRefused(f"{path}: --ignore names a field that the document has not")
        left = rest
        notes.append(f"{path} is left out, as --ignore says")
    match left:
        case {"apiVersion": _, "kind": kind}:
            raise ImportRefused(f"kind: this is a {kind} manifest already: apply it with kubectl")
        case {"benchmark_id": str(_)}:
            manifests = _llama_stack(left, name, notes)
        case {"evaluation": _}:
            manifests = of_launcher(left, LauncherOptions(name=name, secret=secret), notes)
        case {"config": _, "target": _}:
            manifests = _job(left, name, notes)
        case {"type": str(_)}:
            manifests = [_config(left, name, notes, path="")]
        case _:
            raise ImportRefused(
                "expected a config with type, a job body with config and target, a registration with "
                "benchmark_id, or a launcher config with evaluation"
            )
    return Imported(manifests, list(dict.fromkeys(notes)))


def _without(value: JsonValue, path: str, at: str = "") -> JsonValue:
    """Return `value`, which is at `at`, without the field at `path`, spelled as messages spell it."""
    if isinstance(value, dict):
        paths = {name: joined(at, name) for name in value}
        return {name: _without(one, path, paths[name]) for name, one in value.items() if paths[name] != path}
    if isinstance(value, list):
        return [_without(one, path, f"{at}[{index}]") for index, one in enumerate(value)]
    return value


def _config(config: JsonObject, name: str | None, notes: Notes, *, path: str) -> JsonObject:
    own = config.get("name")
    if name is None and not isinstance(own, str):
        raise ImportRefused(f"{f'{path}.' if path else ''}name: the config has none: use --name")
    if isinstance(own, str):
        notes.append(
            f"the config keeps its name {own} in the evaluator: where that exists already, add the "
            "annotation evaluator.nemo.dev/adopt=true to the NemoBenchmark"
        )
    if isinstance(place := config.get("namespace"), str):
        notes.append(
            f"the config's namespace {place} is one of NeMo: the manifests are applied to the namespace that "
            "kubectl uses, or to that of `kubectl apply -n`"
        )
    return benchmark(name or object_name(str(own), "name"), config, notes, path=path)


def _job(job: JsonObject, name: str | None, notes: Notes) -> list[JsonObject]:
    config, target = job["config"], job["target"]
    for field, value in (("config", config), ("target", target)):
        if not isinstance(value, dict):
            raise ImportRefused(
                f"{field}: is the name of a {field} in the evaluator: put what the evaluator has under that "
                "name in its place"
            )
    reason = "a NemoEvalJob has no field for it: remove it, or leave it out with --ignore"
    refuse_others(job, JOB_FIELDS | JOB_WRITTEN, "", reason)
    notes += [f"{one} is left out: the evaluator writes it itself" for one in job.keys() & JOB_WRITTEN]
    paths = {"config": "config", "target": "target"}
    if isinstance(config, dict) and isinstance(config.get("name"), str):
        stored = _config(config, name, notes, path="config")
        meta = stored["metadata"]
        own = str(meta["name"]) if isinstance(meta, dict) else ""
        run = run_of(f"{own}-run", {"benchmarkRef": {"name": own}, "target": target}, paths, notes)
        return [stored, run]
    if name is None:
        raise ImportRefused("config.name: the config has none: use --name")
    return [run_of(name, {"config": config, "target": target}, paths, notes)]


def _llama_stack(document: JsonObject, name: str | None, notes: Notes) -> list[JsonObject]:
    own = str(document["benchmark_id"])
    if document.get("provider_id") not in {None, "nvidia"}:
        raise ImportRefused("provider_id: only registrations of the provider nvidia are evaluated by NeMo")
    if document.get("provider_benchmark_id") not in {None, own}:
        raise ImportRefused(
            "provider_benchmark_id: differs from benchmark_id, under which the config is kept"
        )
    known = LLAMA_STACK_FIELDS | LLAMA_STACK_UNUSED | {"provider_id", "provider_benchmark_id"}
    refuse_others(document, known, "", "a registration has no such field: correct or remove it")
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or "type" not in metadata:
        raise ImportRefused(
            "metadata.type: is required: metadata is the config that the provider sends to NeMo"
        )
    notes += [
        f"{one} has no effect: Llama Stack's provider for NeMo Evaluator sends metadata only"
        for one in sorted(document.keys() & LLAMA_STACK_UNUSED)
        if document[one]
    ]
    # As the provider does: metadata has precedence.
    config: JsonObject = {"namespace": "nvidia", "name": own, **metadata}
    return [_config(config, name, notes, path="metadata")]
