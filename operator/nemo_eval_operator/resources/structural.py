"""From the JSON schema that pydantic writes to the structural schema that a CRD takes.

Structural schemas have no references, no null and no unions, and every value in them has one type. So

- references are put in place; a recursive one (groups within groups) to a fixed depth, then free-form;
- `X | None` is X, and may be left out;
- `int | float` is a number;
- text or an object (a model by name or in full) has no type: what it may look like is in its description,
  the fields of the object are still listed for `kubectl explain`, and nothing in it is pruned;
- an object that takes undeclared fields beside its own keeps them; the API server prunes them from all
  others, also from those within an object that keeps its own;
- free-form JSON is kept as it is.

There are no defaults in a spec: GitOps tools would see a defaulted field as drift. They are applied by the
models, and named here in the descriptions.
"""

from __future__ import annotations

from typing import Any

from nemo_eval_operator.nemo.base import ONE_REQUIRED
from nemo_eval_operator.resources.rules import VALIDATIONS

Schema = dict[str, Any]

PRESERVE_UNKNOWN = "x-kubernetes-preserve-unknown-fields"

# How often a schema may contain itself before it becomes free-form.
RECURSION_DEPTH = 2

_DROPPED = ("$defs", "$ref", "anyOf", "const", "default", "title")


def structural_schema(schema: Schema) -> Schema:
    """The structural form of a model's JSON schema."""
    return _Converter(schema.get("$defs", {})).convert(schema, inside=())


class _Converter:
    def __init__(self, definitions: dict[str, Schema]) -> None:
        self._definitions = definitions

    def convert(self, schema: Schema, *, inside: tuple[str, ...]) -> Schema:
        """`inside` names the definitions that this schema is part of."""
        described = {key: value for key, value in schema.items() if key not in _DROPPED}
        names = described.pop(ONE_REQUIRED, ())
        converted = self._converted(schema, described, inside=inside)
        return converted | ({"anyOf": [{"required": [name]} for name in names]} if names else {})

    def _converted(self, schema: Schema, described: Schema, *, inside: tuple[str, ...]) -> Schema:
        """`described` is the part of `schema` that a CRD takes as it is."""
        if default := _named_default(schema):
            described["description"] = f"{described.get('description', '')} Default: {default}.".lstrip()
        if reference := schema.get("$ref"):
            return _merge(self._referenced(reference.rpartition("/")[2], inside=inside), described)
        if alternatives := [other for other in schema.get("anyOf", ()) if other != {"type": "null"}]:
            return _merge(self._union(alternatives, inside=inside), described)
        if not {"type", "enum", "const"} & schema.keys():
            return {PRESERVE_UNKNOWN: True} | described
        if described.get("type") == "object":
            return self._object(described, inside=inside)
        if "items" in described:
            described["items"] = self.convert(described["items"], inside=inside)
        return described

    def _referenced(self, name: str, *, inside: tuple[str, ...]) -> Schema:
        definition = self._definitions[name]
        if inside.count(name) >= RECURSION_DEPTH:
            return {
                "type": "object",
                "description": definition.get("description", ""),
                PRESERVE_UNKNOWN: True,
            }
        return self.convert(definition, inside=(*inside, name))

    def _union(self, alternatives: list[Schema], *, inside: tuple[str, ...]) -> Schema:
        converted = [self.convert(alternative, inside=inside) for alternative in alternatives]
        if len(converted) == 1:
            return converted[0]
        if {schema.get("type") for schema in converted} == {"integer", "number"}:
            return next(schema for schema in converted if schema["type"] == "number")
        untyped: Schema = {PRESERVE_UNKNOWN: True}
        for schema in converted:
            # What JSON schema says of an object's fields or of a text's length holds for that type alone.
            untyped |= {key: value for key, value in schema.items() if key not in ("type", "description")}
        return untyped

    def _object(self, schema: Schema, *, inside: tuple[str, ...]) -> Schema:
        values = schema.pop("additionalProperties", None)
        if "properties" in schema:
            schema["properties"] = {
                name: self.convert(value, inside=inside) for name, value in schema["properties"].items()
            }
            if values is not None and values is not False:
                schema[PRESERVE_UNKNOWN] = True
        elif isinstance(values, dict):
            converted = self.convert(values, inside=inside)
            if converted == {PRESERVE_UNKNOWN: True}:
                schema[PRESERVE_UNKNOWN] = True
            else:
                schema["additionalProperties"] = converted
        return schema


def _named_default(schema: Schema) -> str | None:
    match schema.get("default"):
        case None:
            return None
        case bool(default):
            return str(default).lower()
        case default:
            return str(default)


def _merge(schema: Schema, described: Schema) -> Schema:
    """What is said beside a reference or union wins over what it refers to; the rules of both hold."""
    merged = schema | described
    if rules := [*schema.get(VALIDATIONS, ()), *described.get(VALIDATIONS, ())]:
        merged[VALIDATIONS] = rules
    return merged
