"""Jinja templates from configs: sandboxed, strict about missing columns, bounded in length.

Compiled and rendered in worker processes only (`scoring`), which bound time and memory.

A template sees `item` (the row, with normalised column names as well), `sample` (what the model answered),
every column by its bare name, and the bare names `prompt` and `output_text` of early NeMo releases.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from itertools import islice
from typing import Any, Final, NoReturn

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from typing_extensions import override

from nemo_local_evaluator.wire.depth import TOO_DEEP, is_too_deep
from nemo_local_evaluator.wire.errors import EvaluationError, SampleFailed

__all__ = [
    "MAX_OUTPUT_LENGTH",
    "MAX_TEMPLATE_LENGTH",
    "Context",
    "Template",
    "TemplateEnvironment",
    "context_for",
]

MAX_TEMPLATE_LENGTH: Final = 100_000
MAX_OUTPUT_LENGTH: Final = 1_000_000
_MAX_SHOWN: Final = 80
_COLUMNS_SHOWN: Final = 20
_NOT_IN_A_NAME: Final = re.compile(r"\W")

Context = Mapping[str, Any]


class Template:
    def __init__(self, source: str, template: jinja2.Template) -> None:
        self.shown = _shown(source)
        self._source = source
        self._template = template

    def render(self, context: Context) -> str:
        parts: list[str] = []
        length = 0
        with self._faults(context):
            for part in self._template.generate(context):
                length += len(part)
                if length > MAX_OUTPUT_LENGTH:
                    break
                parts.append(part)
        self._refuse_long(length)
        return "".join(parts)

    def value(self, context: Context, *, only: Callable[[Any], bool] = lambda _: True) -> Any:
        """Return the value itself where the template is one `{{ expression }}`, or else the rendered text.

        A filter `tojson` at the end of the expression makes no difference. Values that `only` does not accept
        become text as well. The result is what JSON can carry. Raises SampleFailed.
        """
        if self._expression is None:
            return self.render(context)
        with self._faults(context):
            found = self._expression(context)
            if isinstance(found, jinja2.Undefined):
                str(found)  # raises, and says what is missing
        if not only(found):
            return self.render(context)
        if isinstance(found, str) and not isinstance(found, _Json):
            self._refuse_long(len(found))
            return str(found)
        with self._faults(context):
            text = found if isinstance(found, _Json) else json.dumps(found, default=_no_json, allow_nan=False)
        self._refuse_long(len(text))
        return json.loads(text)

    def render_json(self, context: Context) -> Any:
        """Return the value of the expression, or the JSON that the template renders. Raises SampleFailed."""
        found = self.value(context)
        if not isinstance(found, str):
            return found
        try:
            found = json.loads(found)
        except json.JSONDecodeError as error:
            raise SampleFailed(
                f"template {self.shown} does not render JSON: {error}{self._advice}"
            ) from error
        if is_too_deep(found):
            raise SampleFailed(f"template {self.shown} renders {TOO_DEEP}")
        return found

    @cached_property
    def _expression(self) -> Callable[..., Any] | None:
        """Return the one expression that the template is; None where it has text, several, or statements."""
        source = self._source.strip()
        if not (source.startswith("{{") and source.endswith("}}")):
            return None
        # Hyphens next to the braces only strip the space around them.
        inside = source[2:-2].removeprefix("-").removesuffix("-")
        try:
            return self._template.environment.compile_expression(inside, undefined_to_none=False)
        except jinja2.TemplateSyntaxError:
            return None

    @property
    def _advice(self) -> str:
        """What makes values JSON, where the template puts some between text of its own."""
        filtered = self._source.count("tojson") >= self._source.count("{{")
        if self._expression is not None or filtered:
            return ""
        return ". End each expression that stands for a JSON value with '| tojson'"

    @contextmanager
    def _faults(self, context: Context) -> Iterator[None]:
        try:
            yield
        except MemoryError:
            raise  # for the worker to say how much it may have
        except Exception as error:  # a template's expressions may raise anything at all
            raise SampleFailed(
                f"template {self.shown} cannot be rendered: {error}{_columns_for(error, context)}"
            ) from error

    def _refuse_long(self, length: int) -> None:
        if length > MAX_OUTPUT_LENGTH:
            raise SampleFailed(f"template {self.shown} renders more than {MAX_OUTPUT_LENGTH} characters")


class TemplateEnvironment:
    def __init__(self) -> None:
        self._jinja = _Sandbox(
            undefined=_Undefined,
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
            raise EvaluationError(f"template is longer than {MAX_TEMPLATE_LENGTH} characters")
        try:
            return Template(text, self._jinja.from_string(text))
        except MemoryError:
            raise
        except Exception as error:  # Python compiles what Jinja makes of it, and has limits of its own
            reason = error.message if isinstance(error, jinja2.TemplateSyntaxError) else error
            raise EvaluationError(f"template {_shown(text)} is not valid Jinja: {reason}") from error


def context_for(item: Mapping[str, Any], sample: Mapping[str, Any] | None = None) -> Context:
    """`sample` is absent while the prompt itself is rendered."""
    context: dict[str, Any] = {**item, "item": _Row(item)}
    if sample is not None:
        context["sample"] = sample
        if "output_text" in sample:
            context["output_text"] = sample["output_text"]
        if "prompt" in sample:
            context.setdefault("prompt", sample["prompt"])
    return context


def _normalised(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the columns whose normalised name is not their own, by that name.

    The rules are those of NVIDIA's templating reference: what is not alphanumeric becomes an underscore,
    letters become lower case, and names already taken get _1, _2, ... in the order of columns. Here each
    column keeps its own name as well, which counts as taken.
    """
    names: dict[str, Any] = {}
    last: dict[str, int] = {}
    for column, value in row.items():
        name = _NOT_IN_A_NAME.sub("_", column).lower()
        if name == column:
            continue
        free = name
        while free in row or free in names:
            last[name] = last.get(name, 0) + 1
            free = f"{name}_{last[name]}"
        names[free] = value
    return names


class _Row(dict[str, Any]):
    """A row as templates see it: normalised names lead to its columns too, but are not among its keys."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        super().__init__(row)
        self._by_normalised_name = _normalised(row)

    def __missing__(self, name: str) -> Any:
        return self._by_normalised_name[name]


class _Undefined(jinja2.StrictUndefined):
    @property
    @override
    def _undefined_message(self) -> str:
        found = self._undefined_obj
        if not isinstance(found, dict) or self._undefined_hint:
            return super()._undefined_message
        if isinstance(found, _Row):
            return f"the row has no column {self._undefined_name!r}; it has {_names(found)}"
        return f"there is no {self._undefined_name!r} among {_names(found)}"


def _names(keys: Collection[object]) -> str:
    shown = ", ".join(str(key)[:_MAX_SHOWN] for key in islice(keys, _COLUMNS_SHOWN))
    return shown + (", ..." if len(keys) > _COLUMNS_SHOWN else "") or "nothing"


def _columns_for(error: Exception, context: Context) -> str:
    """Return what a bare name could have been; the errors of other lookups say it themselves."""
    row = context.get("item")
    # `'answer' is undefined` is Jinja's own sentence for a bare name.
    if not isinstance(error, jinja2.UndefinedError) or not isinstance(row, _Row):
        return ""
    return f"; the row has {_names(row)}" if str(error).endswith(" is undefined") else ""


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


class _Json(str):
    """What `tojson` made: JSON, and not a text that only looks like it."""

    __slots__ = ()


def _to_json(value: Any, indent: int | None = None) -> _Json:
    # A date becomes its text; what is undefined has none and raises, saying which column is missing.
    return _Json(json.dumps(value, ensure_ascii=False, indent=indent, default=str))


def _no_json(value: object) -> NoReturn:
    if isinstance(value, jinja2.Undefined):
        str(value)  # raises, and says what is missing
    raise TypeError(
        f"its value is a {type(value).__name__}, which a request cannot carry; end it with '| list'"
    )
