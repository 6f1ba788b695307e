"""The generated CRDs: fresh, described throughout, and without what GitOps tools would trip over."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from nemo_eval_operator.resources import crd
from nemo_eval_operator.resources.structural import PRESERVE_UNKNOWN, structural_schema

CRDS = Path(__file__).parents[3] / "crds"

kinds = pytest.mark.parametrize("kind", crd.KINDS, ids=lambda kind: kind.__name__)


def schema_of(kind: crd.Kind) -> dict[str, Any]:
    (version,) = crd.custom_resource_definition(kind)["spec"]["versions"]
    schema: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return schema


def walk(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from walk(field, f"{path}.{name}")
    for below in ("additionalProperties", "items"):
        if below in schema:
            yield from walk(schema[below], f"{path}[]")


def test_files_are_fresh(tmp_path: Path) -> None:
    written = crd.write(tmp_path)
    stale = [path.name for path in written if path.read_text() != (CRDS / path.name).read_text()]
    assert not stale, "run `make generate`"
    assert {path.name for path in CRDS.glob("*.yaml")} == {path.name for path in written}


@kinds
def test_file_holds_the_definition_and_says_where_it_comes_from(kind: crd.Kind) -> None:
    text = crd.to_yaml(kind)
    assert text.startswith("# Generated")
    assert "make generate" in text.splitlines()[0]
    assert yaml.safe_load(text) == crd.custom_resource_definition(kind)


@kinds
def test_every_field_is_described(kind: crd.Kind) -> None:
    undescribed = [
        path
        for path, field in walk(schema_of(kind))
        if not field.get("description") and not path.endswith("[]") and path != ".metadata"
    ]
    assert undescribed == []


@kinds
def test_spec_has_no_defaults_and_status_the_one_that_kstatus_needs(kind: crd.Kind) -> None:
    defaults = {path: field["default"] for path, field in walk(schema_of(kind)) if "default" in field}
    assert defaults == {".status": {"observedGeneration": -1}}


@kinds
def test_defaults_of_the_models_are_in_the_descriptions(kind: crd.Kind) -> None:
    spec = schema_of(kind)["properties"]["spec"]["properties"]
    for name, field in kind.model_fields["spec"].annotation.model_fields.items():  # type: ignore[union-attr]
        if field.default is not None and not field.is_required() and field.default_factory is None:
            shown = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
            assert spec[field.alias or name]["description"].endswith(f"Default: {shown}.")


@kinds
def test_every_value_has_one_type_or_is_kept_as_it_is(kind: crd.Kind) -> None:
    untyped = [
        path
        for path, field in walk(schema_of(kind))
        if "type" not in field and not field.get(PRESERVE_UNKNOWN)
    ]
    assert untyped == []


@kinds
def test_rules_end_in_advice(kind: crd.Kind) -> None:
    rules = [rule for _, field in walk(schema_of(kind)) for rule in field.get("x-kubernetes-validations", ())]
    assert rules
    for rule in rules:
        assert set(rule) == {"rule", "message"}
        assert len(rule["message"].split()) > 5


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param(
            {"anyOf": [{"type": "string", "maxLength": 9}, {"type": "null"}], "default": None, "title": "X"},
            {"type": "string", "maxLength": 9},
            id="optional",
        ),
        pytest.param(
            {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "number", "minimum": 0}]},
            {"type": "number", "minimum": 0},
            id="number",
        ),
        pytest.param(
            {"anyOf": [{"type": "string", "minLength": 1}, {"$ref": "#/$defs/Full"}], "description": "One."},
            {
                PRESERVE_UNKNOWN: True,
                "minLength": 1,
                "properties": {"url": {"type": "string"}},
                "required": ["url"],
                "description": "One.",
            },
            id="text or object",
        ),
        pytest.param(
            {"type": "object", "additionalProperties": {"$ref": "#/$defs/Any"}},
            {"type": "object", PRESERVE_UNKNOWN: True},
            id="free-form",
        ),
        pytest.param(
            {"$ref": "#/$defs/Tree"},
            {
                "type": "object",
                "properties": {
                    "below": {
                        "type": "object",
                        "properties": {
                            "below": {"type": "object", "description": "A tree.", PRESERVE_UNKNOWN: True}
                        },
                        "description": "A tree.",
                    }
                },
                "description": "A tree.",
            },
            id="recursion",
        ),
        pytest.param(
            {"$ref": "#/$defs/Ruled", "x-kubernetes-validations": [{"rule": "b"}], "default": True},
            {
                "type": "boolean",
                "x-kubernetes-validations": [{"rule": "a"}, {"rule": "b"}],
                "description": "Default: true.",
            },
            id="rules of both",
        ),
    ],
)
def test_structural_form(written: dict[str, Any], expected: dict[str, Any]) -> None:
    definitions = {
        "Any": {},
        "Full": {
            "type": "object",
            "title": "Full",
            "description": "In full.",
            "additionalProperties": True,
            "properties": {"url": {"type": "string"}},
            "required": ["url"],
        },
        "Tree": {
            "type": "object",
            "description": "A tree.",
            "properties": {"below": {"$ref": "#/$defs/Tree"}},
        },
        "Ruled": {"type": "boolean", "x-kubernetes-validations": [{"rule": "a"}]},
    }
    assert structural_schema(written | {"$defs": definitions}) == expected
