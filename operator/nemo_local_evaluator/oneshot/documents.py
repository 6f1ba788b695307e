"""Configs and targets as people write them: YAML or JSON, in files or on the command line."""

import json
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ValidationError

from nemo_local_evaluator.errors import InvalidDocumentError
from nemo_local_evaluator.schemas import ConfigInput, TargetInput

__all__ = ["config_document", "target_document"]

Document = dict[str, Any]

_NAME: Final = "name="
_TIMESTAMP: Final = "tag:yaml.org,2002:timestamp"


class _Loader(yaml.SafeLoader):
    """YAML as JSON has it: a date stays the string that it looks like."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def config_document(path: Path, *, limit: int | None) -> Document:
    """A NeMo config, bare or in a NemoBenchmark; `limit` takes the place of its own limit_samples.

    Raises InvalidDocumentError.
    """
    document = _from_manifest(_read(path), "NemoBenchmark", owner=str(path))
    if "spec" in document:
        document = document["spec"].get("config", {})
    _check(document, ConfigInput, owner=str(path))
    if limit is not None:
        document = {**document, "params": {**(document.get("params") or {}), "limit_samples": limit}}
    return document


def target_document(given: str) -> Document:
    """`name=<registered model>`, a JSON object, or else a file: a NeMo target, bare or in a NemoEvalJob.

    Raises InvalidDocumentError.
    """
    if given.startswith(_NAME):
        return _registered(given.removeprefix(_NAME))
    inline = given.lstrip().startswith("{")
    owner = "--target" if inline else given
    documents = _parsed(given, owner=owner) if inline else _read(Path(given))
    document = _from_manifest(documents, "NemoEvalJob", owner=owner)
    if "spec" in document:
        model, inner = document["spec"].get("model"), document["spec"].get("target")
        document = _registered(model) if isinstance(model, str) else inner or {}
    _check(document, TargetInput, owner=owner)
    return document


def _registered(model: str) -> Document:
    return {"type": "model", "model": model}


def _from_manifest(documents: list[Document], kind: str, *, owner: str) -> Document:
    """The one of this kind, where there are several: benchmark and job may share a file."""
    found = [one for one in documents if one.get("kind") == kind] or documents
    if len(found) != 1 or not isinstance(found[0].get("spec", {}), dict):
        msg = f"{owner} holds {len(found)} documents; wanted is one, or one {kind}"
        raise InvalidDocumentError(msg)
    return found[0]


def _read(path: Path) -> list[Document]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path} cannot be read: {getattr(error, 'strerror', None) or error}"
        raise InvalidDocumentError(msg) from error
    return _parsed(text, owner=str(path))


def _parsed(text: str, *, owner: str) -> list[Document]:
    try:
        # Not YAML for both: it takes 1e-05 for a string.
        documents = [json.loads(text)]
    except ValueError:
        try:
            documents = [one for one in yaml.load_all(text, _Loader) if one is not None]
        except yaml.YAMLError as error:
            msg = f"{owner} is neither JSON nor YAML: {error}"
            raise InvalidDocumentError(msg) from error
    for one in documents:
        if not isinstance(one, dict):
            msg = f"{owner} holds {type(one).__name__}, not an object"
            raise InvalidDocumentError(msg)
    return documents


def _check(document: object, schema: type[BaseModel], *, owner: str) -> None:
    try:
        schema.model_validate(document)
    except ValidationError as error:
        places = [
            f"{'.'.join(map(str, one['loc'])) or 'it'}: {one['msg']}"
            for one in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        msg = f"{owner} is not as it should be: {'; '.join(places)}"
        raise InvalidDocumentError(msg) from error
