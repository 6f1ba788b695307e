"""Templates: what they see, and what the sandbox keeps from them."""

from typing import Any

import pytest

from nemo_local_evaluator.errors import EvaluationError, SampleError
from nemo_local_evaluator.templates import TemplateEnvironment, context_for


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
    with pytest.raises(SampleError, match="template"):
        render(source, {"x": 1})


@pytest.mark.parametrize("source", ["{{", "{% nope %}", "{{ x | nope }}", "x" * 100_001])
def test_what_is_no_template_fails_its_job(source: str) -> None:
    with pytest.raises(EvaluationError, match="template"):
        TemplateEnvironment().compile(source)


def test_json_is_wanted_where_json_is_asked_for() -> None:
    template = TemplateEnvironment().compile("{{ x }}")
    assert template.render_json({"x": "[1]"}) == [1]
    with pytest.raises(SampleError, match="does not render JSON"):
        template.render_json({"x": "["})
