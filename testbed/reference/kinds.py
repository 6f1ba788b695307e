"""A page for each kind: every field with its type, default, limits, rules and meaning, from the models."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from nemo_eval_operator.resources.crd import KINDS, Kind, custom_resource_definition
from testbed.reference.markdown import GENERATED, cell, table

__all__ = ["kind_pages"]

Schema = Mapping[str, Any]

_LIMITS: Final[Mapping[str, str]] = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "maxProperties": "at most {} entries",
}
"""How the limits of a schema read."""


def kind_pages() -> Mapping[str, str]:
    """Return the page of each kind by its file name."""
    return {f"{kind.__name__.lower()}.md": _page(kind) for kind in KINDS}


def _page(kind: Kind) -> str:
    crd = custom_resource_definition(kind)["spec"]
    version = crd["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    short = ", ".join(f"`{name}`" for name in crd["names"]["shortNames"])
    head = (
        f"{GENERATED}\n# {kind.__name__}\n\n{schema['description']}\n\n"
        f"`apiVersion: {crd['group']}/{version['name']}`, namespaced. Plural: `{crd['names']['plural']}`; "
        f"short name: {short}. `kubectl explain {crd['names']['plural']}.spec` describes the same fields.\n\n"
    )
    return head + _Sections(schema).text() + _columns(version["additionalPrinterColumns"])


def _columns(columns: list[Mapping[str, Any]]) -> str:
    rows = [
        (
            column["name"],
            f"`{column['jsonPath']}`",
            "`-o wide`" if column.get("priority") else "always",
            cell(column.get("description", "")),
        )
        for column in columns
    ]
    return "## Columns of kubectl get\n\n" + table(("column", "path", "shown", "meaning"), rows)


class _Sections:
    """One section for each object in a schema. A schema that occurs again is described once."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._described: dict[str, str] = {}

    def text(self) -> str:
        properties = self._schema["properties"]
        return "".join(
            section for name in ("spec", "status") for section in self._sections(name, properties[name])
        )

    def _sections(self, path: str, schema: Schema) -> Iterator[str]:
        """Return the section of the object at a path, then those of the objects in it."""
        self._described[_identity(schema)] = path
        rows, below = [], list[tuple[str, Schema]]()
        for name, field in schema["properties"].items():
            inner_path, inner = _object_in(f"{path}.{name}", field)
            rows.append(self._row(name, field, schema, inner_path if inner else None, inner))
            if inner and _identity(inner) not in self._described:
                self._described[_identity(inner)] = inner_path
                below.append((inner_path, inner))
        heading = "##" if "." not in path else "###"
        text = f"{heading} `{path}`\n\n{_sentence(schema.get('description', ''))}"
        yield text + table(("field", "type", "meaning"), rows) + "\n" + _rules(schema)
        for inner_path, inner in below:
            yield from self._sections(inner_path, inner)

    def _row(
        self, name: str, field: Schema, parent: Schema, path: str | None, inner: Schema | None
    ) -> tuple[str, str, str]:
        required = " (required)" if name in parent.get("required", ()) else ""
        limits = "; ".join(_limits(field))
        see = ""
        if path and inner:
            described = self._described.get(_identity(inner), path)
            see = f" Fields: `{described}`."
        meaning = cell(field.get("description", ""))
        rules = "".join(f" Rule: {cell(rule['message'])}." for rule in _rules_of(field) if not inner)
        return f"`{name}`{required}", _type(field), f"{meaning}{f' [{limits}]' if limits else ''}{rules}{see}"


def _sentence(text: str) -> str:
    return f"{text}\n\n" if text else ""


def _identity(schema: Schema) -> str:
    return json.dumps(schema.get("properties"), sort_keys=True)


def _object_in(path: str, field: Schema) -> tuple[str, Schema | None]:
    """Return the object that a field holds, directly or in a list or map, with its path."""
    if isinstance(items := field.get("items"), dict):
        return _object_in(f"{path}[]", items)
    if isinstance(values := field.get("additionalProperties"), dict):
        return _object_in(f"{path}.NAME", values)
    return path, field if field.get("properties") else None


def _type(field: Schema) -> str:
    if isinstance(items := field.get("items"), dict):
        return f"list of {_type(items)}"
    if isinstance(values := field.get("additionalProperties"), dict):
        return f"map of {_type(values)}"
    return str(field.get("format") or field.get("type") or "any value")


def _limits(field: Schema) -> Iterator[str]:
    if field.get("default") is not None:
        yield f"default: `{json.dumps(field['default'])}`"
    if values := field.get("enum"):
        yield f"one of {', '.join(f'`{value}`' for value in values)}"
    for key, words in _LIMITS.items():
        if key in field:
            yield words.format(field[key])
    if pattern := field.get("pattern"):
        yield f"pattern: `{pattern.replace('|', chr(92) + '|')}`"


def _rules_of(schema: Schema) -> list[Mapping[str, str]]:
    rules: list[Mapping[str, str]] = schema.get("x-kubernetes-validations", [])
    return rules


def _rules(schema: Schema) -> str:
    lines = [f"- {cell(rule['message'])}\n" for rule in _rules_of(schema)]
    return (
        "The API server refuses an object with these messages:\n\n" + "".join(lines) + "\n" if lines else ""
    )
