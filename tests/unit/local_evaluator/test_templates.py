"""Templates: what they see, and what the sandbox keeps from them."""

import json
import re
from typing import Any

import pytest

from nemo_local_evaluator.templating import TemplateEnvironment, context_for
from nemo_local_evaluator.wire.errors import EvaluationError, SampleFailed


def render(source: object, item: dict[str, Any] | None = None, sample: dict[str, Any] | None = None) -> str:
    return TemplateEnvironment().compile(source).render(context_for(item or {}, sample))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{item.question}}/{{question}}", "Why?/Why?"),
        ("{{sample.output_text}}/{{output_text}}", "So./So."),
        ("{{prompt}}", "Say why"),
        ("{{item.items}}", "a column"),
        ("{{item.nested.keys}}", "K"),
        ("{{ {'a': \"it's <b>\"} | tojson }}", '{"a": "it\'s <b>"}'),
        ("{{ question | trim | lower }}\n", "why?\n"),
        ("{{ 'ab' * 3 }}{{ 2 ** 8 }}", "ababab256"),
        (4, "4"),
        (True, "true"),
    ],
)
def test_a_template_sees_row_sample_and_bare_names(source: object, expected: str) -> None:
    item = {"question": "Why?", "items": "a column", "nested": {"keys": "K"}}
    assert render(source, item, {"output_text": "So.", "prompt": "Say why"}) == expected


def test_a_column_named_prompt_is_the_column() -> None:
    assert render("{{prompt}}", {"prompt": "mine"}, {"prompt": "rendered"}) == "mine"


@pytest.mark.parametrize(
    "source",
    [
        "{{item.absent}}",
        "{{item.absent | tojson}}",
        "{{absent}}",
        "{{sample.output_text}}",
        "{{ ''.__class__.__mro__ }}",
        "{{ item.update({'a': 1}) }}",
        "{% for i in range(10000000) %}x{% endfor %}",
        "{% for i in range(50000) %}{{ 'x' * 100 }}{% endfor %}",
        "{{ 1 / 0 }}",
    ],
)
def test_what_a_template_may_not_do_fails_its_sample(source: str) -> None:
    with pytest.raises(SampleFailed, match="template"):
        render(source, {"x": 1})


@pytest.mark.parametrize("source", ["{{", "{% nope %}", "{{ x | nope }}", "x" * 100_001])
def test_what_is_no_template_fails_its_job(source: str) -> None:
    with pytest.raises(EvaluationError, match="template"):
        TemplateEnvironment().compile(source)


ROW = {
    "Reference Answer": "a",
    "reference-answer": "b",
    "Reference  Answer": "c",
    "model output": "d",
    "model_output": "e",
    "MODEL_OUTPUT": "f",
    "Größe (cm)": 180,
    "x": 1,
    "X": 2,
}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ item.reference_answer }}", "a"),
        ("{{ item['reference_answer'] }}", "a"),
        ("{{ item.reference_answer_1 }}", "b"),
        ("{{ item.reference__answer }}", "c"),
        ("{{ item.größe__cm_ }}", "180"),
        # A column has its own name, whichever comes first.
        ("{{ item.model_output }} {{ item['model output'] }}", "e d"),
        ("{{ item.model_output_1 }} {{ item.model_output_2 }}", "d f"),
        ("{{ item.x }}{{ x }}{{ item.X }}{{ item.x_1 }}", "1122"),
        # They are no further columns.
        ("{{ item | length }}", "9"),
        ("{{ 'reference_answer' in item }}", "False"),
        ("{{ item.reference_answer is defined }} {{ item.model__output is defined }}", "True False"),
        ("{{ item | tojson }}", json.dumps(ROW, ensure_ascii=False)),
    ],
)
def test_columns_have_normalised_names_too(source: str, expected: str) -> None:
    assert render(source, ROW) == expected


def test_a_missing_column_is_reported_with_the_existing_ones() -> None:
    with pytest.raises(SampleFailed, match=r"the row has no column 'answr'; it has Question, answer$"):
        render("{{ item.answr }}", {"Question": "?", "answer": "!"})


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{{ answr }}", r"'answr' is undefined; the row has Question, answer$"),
        ("{{ item.nested.x }}", r"there is no 'x' among a$"),
        ("{{ sample.text }}", r"there is no 'text' among output_text$"),
    ],
)
def test_other_missing_names_are_reported_with_the_existing_ones(source: str, said: str) -> None:
    row = {"Question": "?", "answer": "!"} | ({"nested": {"a": 1}} if "nested" in source else {})
    with pytest.raises(SampleFailed, match=said):
        render(source, row, {"output_text": "So."})


@pytest.mark.parametrize(
    ("source", "advised"),
    [
        ('[{"role": "user", "content": {{ item.text }}}]', True),
        ("[{{ item.call }}]", True),
        ('[{"content": {{ item.text | tojson }}]', False),
        ("{{ item.text }}", False),
    ],
)
def test_where_tojson_is_the_cure_the_error_says_so(source: str, advised: bool) -> None:
    template = TemplateEnvironment().compile(source)
    with pytest.raises(SampleFailed, match="does not render JSON") as caught:
        template.render_json(context_for({"text": 'He said "so"', "call": {"name": "f", "arguments": None}}))
    assert str(caught.value).endswith("with '| tojson'") == advised


def test_thousands_of_columns_may_have_one_normalised_name() -> None:
    columns = ["".join("!?"[number >> bit & 1] for bit in range(12)) for number in range(2**12)]
    row = {column: number for number, column in enumerate(columns)}
    assert render("{{ item.%s_4095 }}" % ("_" * 12), row) == "4095"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ item.number }}", 5),
        ("{{- item.number -}}", 5),
        (" {{ item.number }}\n", 5),
        ("{{ -1 }}", -1),
        ("{{ item.number | tojson }}", 5),
        ("{{ item.tools }}", [{"a": {"b": 1}}]),
        ("{{ item.tools | tojson(indent=2) }}", [{"a": {"b": 1}}]),
        ("{{ {'a': {'b': item.number}} }}", {"a": {"b": 5}}),
        ("{{ item.tools if item.number > 4 else [] }}", [{"a": {"b": 1}}]),
        ("{{ item.absent | default(none) }}", None),
        ("{{ item.text }}", "5"),
        ("{{ item.text | int }}", 5),
        ("{{ '}}' }}", "}}"),
        # More than one expression is text.
        ("{{ item.number }}{{ item.number }}", "55"),
        ("{{ item.number }} {# five #}", "5 "),
        ("{{ item.number }} tools", "5 tools"),
        ("{% if item.number %}{{ item.number }}{% endif %}", "5"),
        ("auto", "auto"),
    ],
)
def test_a_lone_expression_is_its_value(source: str, expected: object) -> None:
    item = {"number": 5, "text": "5", "tools": [{"a": {"b": 1}}]}
    assert TemplateEnvironment().compile(source).value(context_for(item)) == expected


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("{{ item.absent }}", "absent"),
        ("{{ [item.absent] }}", "absent"),
        ("{{ absent.deeper }}", "absent"),
        ("{{ item.xs | map('upper') }}", "generator, which a request cannot carry; end it with '| list'"),
        ("{{ item.items }}", "method"),
        ("{{ ''.__class__ }}", "unsafe"),
        ("{{ 'x' * 1000001 }}", "more than 1000000 characters"),
        ("{{ ['x' * 1000] * 1001 }}", "more than 1000000 characters"),
        ("{{ 'inf' | float }}", "not JSON compliant"),
        ("{{ 1 / 0 }}", "division by zero"),
    ],
)
def test_a_value_that_no_request_can_carry_fails_its_sample(source: str, cause: str) -> None:
    with pytest.raises(SampleFailed, match=re.escape(cause)):
        TemplateEnvironment().compile(source).value(context_for({"xs": ["a"]}))


def test_json_is_wanted_where_json_is_asked_for() -> None:
    template = TemplateEnvironment().compile("{{ x }}")
    assert template.render_json({"x": "[1]"}) == [1]
    assert template.render_json({"x": [1]}) == [1]
    with pytest.raises(SampleFailed, match="does not render JSON"):
        template.render_json({"x": "["})
    with pytest.raises(SampleFailed, match="more than 100 nested objects and lists"):
        template.render_json({"x": "[" * 101 + "]" * 101})
