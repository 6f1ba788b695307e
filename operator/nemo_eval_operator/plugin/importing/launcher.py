"""Configs of NeMo Evaluator Launcher (nemo-evaluator-launcher run): a benchmark and a run for each task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from nemo_eval_operator.json_types import JsonObject

from .mapping import ImportRefused, Notes, benchmark, object_name, refuse_others, run_of

__all__ = ["LauncherOptions", "of_launcher"]

PARAMS: Final = {
    "parallelism": "parallelism",
    "request_timeout": "request_timeout",
    "max_retries": "max_retries",
    "limit_samples": "limit_samples",
    "temperature": "temperature",
    "top_p": "top_p",
    "max_new_tokens": "max_tokens",
    "extra": "extra",
}
"""Fields of params of NeMo's configs, by those of the launcher's config.params."""

NO_EFFECT: Final = frozenset({"defaults", "execution"})
"""Sections about where the launcher itself runs."""

ENDPOINT_PATHS: Final = {"chat": "/chat/completions", "completions": "/completions"}
"""Ends of URLs that say to the evaluator what the launcher's type says."""

UNMAPPED: Final = "NeMo Evaluator's API has no field for it: remove it, or leave it out with --ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class LauncherOptions:
    """What a launcher config does not say."""

    name: str | None = None
    secret: str | None = None


def of_launcher(document: JsonObject, options: LauncherOptions, notes: Notes) -> list[JsonObject]:
    """Return the manifests of all tasks. Raises ImportRefused."""
    _check_interpolation(document, "")
    refuse_others(document, {*NO_EFFECT, "deployment", "target", "evaluation"}, "", UNMAPPED)
    _check_deployment(document)
    notes += [
        f"{one} has no effect: the operator runs tasks in NeMo" for one in sorted(NO_EFFECT & document.keys())
    ]
    if isinstance(document["evaluation"], list):
        raise ImportRefused("evaluation: is a list: write it as evaluation.tasks, as the launcher expects it")
    evaluation = _object(document, "evaluation", "")
    refuse_others(evaluation, {"tasks", "nemo_evaluator_config", "overrides"}, "evaluation", UNMAPPED)
    tasks = evaluation.get("tasks")
    if not isinstance(tasks, list) or not tasks:
        raise ImportRefused("evaluation.tasks: at least one task is required")
    target, values = _target(document, options, notes)
    common = _params(evaluation, "evaluation")
    manifests: list[JsonObject] = []
    names: set[str] = set()
    for index, task in enumerate(tasks):
        path = f"evaluation.tasks[{index}]"
        if isinstance(task, str):
            raise ImportRefused(f"{path}: is a name only: write {{name: {task}}}")
        if not isinstance(task, dict) or not isinstance(task.get("name"), str):
            raise ImportRefused(f"{path}.name: is required")
        refuse_others(task, {"name", "nemo_evaluator_config", "overrides"}, path, UNMAPPED)
        kind = str(task["name"])
        own = object_name(kind, f"{path}.name")
        name = f"{options.name}-{own}" if options.name else own
        if name in names:
            raise ImportRefused(f"{path}.name: an earlier task has this name: import them one by one")
        names.add(name)
        params = {**common, **_params(task, path)}
        config: JsonObject = {"type": kind, **({"params": params} if params else {})}
        spec: JsonObject = {"benchmarkRef": {"name": name}, "target": target, **values}
        manifests += [
            benchmark(name, config, notes, path=path),
            run_of(f"{name}-run", spec, {"target": "target"}, notes),
        ]
        if "request_timeout" in params:
            notes.append("request_timeout is in seconds in the launcher: check its unit in your NeMo release")
    notes.append(
        "check that your evaluator has the types that the tasks name: they are those of the launcher"
    )
    return manifests


def _check_interpolation(value: JsonValue, path: str) -> None:
    if isinstance(value, dict):
        for name, one in value.items():
            _check_interpolation(one, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            _check_interpolation(one, f"{path}[{index}]")
    elif isinstance(value, str) and ("${" in value or value == "???"):
        raise ImportRefused(
            f"{path}: {value} is filled in by the launcher only: write the value in its place"
        )


def _check_deployment(document: JsonObject) -> None:
    """Raise ImportRefused where the launcher would start a model."""
    defaults = document.get("defaults")
    for index, one in enumerate(defaults if isinstance(defaults, list) else ()):
        if isinstance(one, dict) and one.get("deployment", "none") != "none":
            raise ImportRefused(
                f"defaults[{index}].deployment: the operator deploys no models: set none, and "
                "target.api_endpoint"
            )
    deployment = document.get("deployment")
    if deployment not in (None, {}, "none", {"type": "none"}):
        raise ImportRefused(
            "deployment: the operator deploys no models: remove it, and set target.api_endpoint"
        )


def _target(document: JsonObject, options: LauncherOptions, notes: Notes) -> tuple[JsonObject, JsonObject]:
    """Return the target, and valuesFrom where the endpoint needs a key."""
    target = _object(document, "target", "")
    refuse_others(target, {"api_endpoint"}, "target", UNMAPPED)
    path = "target.api_endpoint"
    endpoint = _object(target, "api_endpoint", "target")
    refuse_others(endpoint, {"url", "model_id", "api_key_name", "type"}, path, UNMAPPED)
    kind, url = endpoint.get("type"), str(endpoint.get("url") or "")
    if kind is not None and (not isinstance(kind, str) or kind not in ENDPOINT_PATHS):
        raise ImportRefused(
            f"{path}.type: NeMo Evaluator's API has chat and completions endpoints, not {kind}: name an "
            "endpoint of one of them"
        )
    # The longer end first: the other one is a part of it.
    of_url = next((one for one, end in ENDPOINT_PATHS.items() if url.rstrip("/").endswith(end)), None)
    if kind is not None and kind != of_url:
        raise ImportRefused(
            f"{path}.type: {kind} does not fit the end of the url, by which NeMo Evaluator chooses: for chat "
            "it is /chat/completions, for completions /completions"
        )
    if kind is not None:
        notes.append(f"{path}.type is left out: NeMo Evaluator reads it off the end of the url")
    mapped: JsonObject = {key: endpoint[key] for key in ("url", "model_id") if key in endpoint}
    key = endpoint.get("api_key_name")
    values: JsonObject = {}
    if key:
        if options.secret is None:
            raise ImportRefused(
                f"{path}.api_key_name: name the Secret that has the key {key} with --api-key-secret"
            )
        ref: JsonObject = {"name": options.secret, "key": str(key)}
        notes.append(
            f"the runs read the key {key} of Secret {options.secret}, which has to be in their namespace: "
            f'`kubectl create secret generic {options.secret} --from-literal={key}="${key}"`'
        )
        values["valuesFrom"] = [{"secretKeyRef": ref, "targetPath": "target.model.api_endpoint.api_key"}]
    return {"type": "model", "model": {"api_endpoint": mapped}}, values


def _params(part: JsonObject, path: str) -> JsonObject:
    """Return NeMo's params of nemo_evaluator_config and of overrides, which older launchers have."""
    found: JsonObject = {}
    nested = _object(part, "nemo_evaluator_config", path, required=False)
    where = f"{path}.nemo_evaluator_config"
    refuse_others(nested, {"config"}, where, UNMAPPED)
    config = _object(nested, "config", where, required=False)
    refuse_others(config, {"params"}, f"{where}.config", UNMAPPED)
    for name, value in _object(config, "params", f"{where}.config", required=False).items():
        found[_param(name, f"{where}.config.params.{name}")] = value
    for name, value in _object(part, "overrides", path, required=False).items():
        field = f"{path}.overrides.{name}"
        prefix, _, rest = name.rpartition("config.params.")
        if prefix or not rest or rest == name:
            raise ImportRefused(f"{field}: {UNMAPPED}")
        found[_param(rest, field)] = value
    return found


def _param(name: str, path: str) -> str:
    if name not in PARAMS:
        raise ImportRefused(f"{path}: {UNMAPPED}")
    return PARAMS[name]


def _object(parent: JsonObject, name: str, path: str, *, required: bool = True) -> JsonObject:
    value = parent.get(name)
    where = f"{path}.{name}" if path else name
    if value is None and not required:
        return {}
    if not isinstance(value, dict):
        raise ImportRefused(f"{where}: an object is required")
    return value
