"""Configs and targets as users write them: YAML or JSON, in files or on the command line."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ValidationError

from nemo_local_evaluator.wire.errors import InvalidDocument
from nemo_local_evaluator.wire.problems import all_problems
from nemo_local_evaluator.wire.schemas import ConfigInput, TargetInput

from .config_maps import CONFIG_MAP, config_with_rows, target_with_rows
from .kubectl_yaml import KubectlLoader
from .manifests import BENCHMARK, JOB, Manifest, as_run, check_reference

__all__ = ["run_documents"]

Document = dict[str, Any]

_NAME: Final = "name="


@dataclass(frozen=True)
class _Given:
    """A document as it was written: NeMo's own, or one in a manifest."""

    document: Document
    manifest: Manifest | None
    owner: str
    config_maps: list[Document] = field(default_factory=list)
    """ConfigMaps in the same file."""


def run_documents(
    config: Path, target: str, *, limit: int | None, judged: bool = False
) -> tuple[Document, Document]:
    """Return NeMo's config and target; `limit` takes the place of the config's limit_samples and the job's.

    `config` is a file with a config, a NemoBenchmark, or a NemoEvalJob with a config. `target` is
    `name=<registered model>`, a JSON object, or else a file: a target, or a NemoEvalJob, whose samplingParams
    and limitSamples apply. A run that will be judged by a gate may not be a dry run. Raise InvalidDocument.
    """
    of_config, of_target = _config(config), _target(target)
    if judged:
        _refuse_dry_run(of_target.manifest or of_config.manifest)
    config_maps = [*of_config.config_maps, *of_target.config_maps]
    target_document = target_with_rows(of_target.document, config_maps)
    _check(target_document, TargetInput, owner=of_target.owner)
    of_config = replace(of_config, document=config_with_rows(of_config.document, config_maps))
    document = of_config.document
    if of_target.manifest is not None:
        document = _config_of_run(of_target.manifest, of_config, config_maps)
    elif of_config.manifest is not None:
        document = as_run(document, of_config.manifest)
    _check(document, ConfigInput, owner=of_config.owner)
    if limit is not None:
        document = {**document, "params": {**(document.get("params") or {}), "limit_samples": limit}}
    return document, target_document


def _refuse_dry_run(manifest: Manifest | None) -> None:
    if manifest is not None and manifest.spec.dryRun:
        raise InvalidDocument(
            f"{manifest.shown} is a dry run, which no gate judges: remove spec.dryRun or --gate"
        )


def _config_of_run(job: Manifest, config: _Given, config_maps: list[Document]) -> Document:
    """The config of a NemoEvalJob's run, which CONFIG has to hold."""
    own = job.spec.config
    if own is not None and config_with_rows(own, config_maps) != config.document:
        raise InvalidDocument(f"{job.shown} has a config of its own: give its file as CONFIG too")
    check_reference(job, config.manifest)
    _check(config.document, ConfigInput, owner=config.owner)
    return as_run(config.document, job)


def _config(path: Path) -> _Given:
    owner = str(path)
    documents = _read(path)
    document, manifest = _one(documents, BENCHMARK, JOB, owner=owner)
    if manifest is not None:
        if manifest.spec.config is None:
            reference = manifest.spec.benchmarkRef
            advice = f"; give the file of {BENCHMARK} {reference.name} as CONFIG" if reference else ""
            raise InvalidDocument(f"{manifest.shown} has no spec.config{advice}")
        document = manifest.spec.config
    return _Given(document, manifest, owner, _config_maps(documents))


def _target(given: str) -> _Given:
    if given.startswith(_NAME):
        return _Given(_registered(given.removeprefix(_NAME)), None, "--target")
    inline = given.lstrip().startswith("{")
    owner = "--target" if inline else given
    documents = _parsed(given, owner=owner) if inline else _read(Path(given))
    document, manifest = _one(documents, JOB, owner=owner)
    if manifest is not None:
        spec = manifest.spec
        document = _registered(spec.model) if spec.model is not None else spec.target or {}
    return _Given(document, manifest, owner, _config_maps(documents))


def _config_maps(documents: list[Document]) -> list[Document]:
    return [one for one in documents if one.get("kind") == CONFIG_MAP]


def _registered(model: str) -> Document:
    return {"type": "model", "model": model}


def _one(documents: list[Document], *kinds: str, owner: str) -> tuple[Document, Manifest | None]:
    """The one document of the first kind that there is: benchmark and job may share a file."""
    for kind in kinds:
        if found := [one for one in documents if one.get("kind") == kind]:
            break
    else:
        found, kind = [one for one in documents if one.get("kind") != CONFIG_MAP], None
    if len(found) != 1:
        raise InvalidDocument(f"{owner} holds {len(found)} documents; expected one, or one {kinds[0]}")
    return found[0], Manifest(found[0], owner=owner) if kind else None


def _read(path: Path) -> list[Document]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidDocument(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error
    return _parsed(text, owner=str(path))


def _parsed(text: str, *, owner: str) -> list[Document]:
    try:
        documents = [json.loads(text, object_pairs_hook=_without_equal_keys)]
    except ValueError:
        try:
            documents = [one for one in yaml.load_all(text, KubectlLoader) if one is not None]
        except yaml.YAMLError as error:
            raise InvalidDocument(f"{owner} is neither JSON nor YAML: {error}") from error
    for one in documents:
        if not isinstance(one, dict):
            raise InvalidDocument(f"{owner} holds {type(one).__name__}, not an object")
    return documents


def _without_equal_keys(pairs: list[tuple[str, Any]]) -> Document:
    """Raise ValueError for an object with two equal keys: YAML's reader then says where."""
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError("two equal keys")
    return document


def _check(document: object, schema: type[BaseModel], *, owner: str) -> None:
    try:
        schema.model_validate(document)
    except ValidationError as error:
        raise InvalidDocument(f"{owner} is invalid: {all_problems(error)}") from error
