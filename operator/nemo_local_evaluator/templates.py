"""Jinja templates from configs: sandboxed, strict about missing columns, bounded in length.

Compiled and rendered in worker processes only (`scoring`), which bound time and memory.

A template sees `item` (the row), `sample` (what the model answered), every column by its bare name, and
the bare names `prompt` and `output_text` of early NeMo releases.
"""

import json
from collections.abc import Mapping
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from typing_extensions import override

from nemo_local_evaluator.errors import EvaluationError, SampleError

MAX_TEMPLATE_LENGTH = 100_000
MAX_OUTPUT_LENGTH = 1_000_000
_MAX_SHOWN = 80

Context = Mapping[str, Any]


class Template:
    def __init__(self, source: str, template: jinja2.Template) -> None:
        self.shown = _shown(source)
        self._template = template

    def render(self, context: Context) -> str:
        parts: list[str] = []
        length = 0
        try:
            for part in self._template.generate(context):
                length += len(part)
                if length > MAX_OUTPUT_LENGTH:
                    break
                parts.append(part)
        except MemoryError:
            raise  # for the worker to say how much it may have
        except Exception as error:  # a template's expressions may raise anything at all
            msg = f"template {self.shown} cannot be rendered: {error}"
            raise SampleError(msg) from error
        if length > MAX_OUTPUT_LENGTH:
            msg = f"template {self.shown} renders more than {MAX_OUTPUT_LENGTH} characters"
            raise SampleError(msg)
        return "".join(parts)

    def render_json(self, context: Context) -> Any:
        text = self.render(context)
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            msg = f"template {self.shown} does not render JSON: {error}"
            raise SampleError(msg) from error


class TemplateEnvironment:
    def __init__(self) -> None:
        self._jinja = _Sandbox(
            undefined=jinja2.StrictUndefined,
            keep_trailing_newline=True,
            autoescape=False,
            optimized=False,
            finalize=_unchanged,
        )
        # Jinja's own tojson writes \u0027 for an apostrophe, for the sake of HTML; a model would read it so.
        self._jinja.filters["tojson"] = _to_json

    def compile(self, source: object) -> Template:
        text = source if isinstance(source, str) else json.dumps(source)
        if len(text) > MAX_TEMPLATE_LENGTH:
            msg = f"template is longer than {MAX_TEMPLATE_LENGTH} characters"
            raise EvaluationError(msg)
        try:
            return Template(text, self._jinja.from_string(text))
        except MemoryError:
            raise
        except Exception as error:  # Python compiles what Jinja makes of it, and has limits of its own
            reason = error.message if isinstance(error, jinja2.TemplateSyntaxError) else error
            msg = f"template {_shown(text)} is not valid Jinja: {reason}"
            raise EvaluationError(msg) from error


def context_for(item: Mapping[str, Any], sample: Mapping[str, Any] | None = None) -> Context:
    """`sample` is absent while the prompt itself is rendered."""
    context: dict[str, Any] = {**item, "item": item}
    if sample is not None:
        context["sample"] = sample
        if "output_text" in sample:
            context["output_text"] = sample["output_text"]
        if "prompt" in sample:
            context.setdefault("prompt", sample["prompt"])
    return context


class _Sandbox(ImmutableSandboxedEnvironment):
    @override
    def getattr(self, obj: Any, attribute: str) -> Any:
        # A column named "items" or "keys" is the column, not the method of the row that carries it.
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


@jinja2.pass_context
def _unchanged(_context: object, value: Any) -> Any:
    """Makes Jinja evaluate nothing while it compiles: what is made then stays in memory, and in the cache."""
    return value


def _shown(source: str) -> str:
    return repr(source if len(source) <= _MAX_SHOWN else f"{source[:_MAX_SHOWN]}...")


def _to_json(value: Any, indent: int | None = None) -> str:
    # A date becomes its text; what is undefined has none and raises, saying which column is missing.
    return json.dumps(value, ensure_ascii=False, indent=indent, default=str)
