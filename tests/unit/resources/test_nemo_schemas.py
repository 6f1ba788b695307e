"""NeMo's schemas: what was written is what is sent, whatever NeMo's next release calls it."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from nemo_eval_operator.nemo import EvaluationConfig, EvaluationTarget, NemoModel
from tests.unit.resources.manifests import CONFIG, MODEL, TARGET

LOSSLESS: list[tuple[str, type[NemoModel], dict[str, Any]]] = [
    ("every field of a config", EvaluationConfig, CONFIG),
    ("every field of a target", EvaluationTarget, TARGET),
    ("nothing but a type", EvaluationConfig, {"type": "gsm8k"}),
    ("an unknown type", EvaluationConfig, {"type": "gsm9k", "params": {"stop": "\n"}}),
    (
        "fields that NeMo adds next",
        EvaluationConfig,
        {
            "type": "custom",
            "params": {"seed": 7, "sandbox": {"image": None}},
            "tasks": {"t": {"type": "x", "dataset": {"files_url": "f", "revision": [1]}}},
        },
    ),
    ("model by name", EvaluationTarget, {"type": "model", "model": "meta/llama-3.1-8b-instruct"}),
    ("model in full", EvaluationTarget, {"type": "model", "model": MODEL}),
    ("dataset by name", EvaluationTarget, {"type": "dataset", "dataset": "team-a/outputs"}),
    (
        "explicit nulls",
        EvaluationConfig,
        {"type": "custom", "params": None, "tasks": {"t": {"type": "x", "params": None}}},
    ),
]


@pytest.mark.parametrize(
    ("model", "written"), [case[1:] for case in LOSSLESS], ids=[case[0] for case in LOSSLESS]
)
def test_what_was_written_is_what_is_sent(model: type[NemoModel], written: dict[str, Any]) -> None:
    sent = model.model_validate(written).to_request()
    # As JSON text, where 1 and 1.0 and true differ.
    assert json.dumps(sent, sort_keys=True) == json.dumps(written, sort_keys=True)


@pytest.mark.parametrize(("model", "written"), [(EvaluationConfig, CONFIG), (EvaluationTarget, TARGET)])
def test_the_full_examples_leave_no_field_out(model: type[NemoModel], written: dict[str, Any]) -> None:
    # The one field that is not NeMo's, and takes the place of files_url.
    assert _fields_left_out(model.model_validate(written)) == {"Dataset.config_map_ref"}


def _fields_left_out(model: NemoModel) -> set[str]:
    """Fields that no object of their class sets, as Class.field."""
    used: dict[type[NemoModel], set[str]] = {}

    def visit(value: object) -> None:
        if isinstance(value, NemoModel):
            used.setdefault(type(value), set()).update(value.model_fields_set)
            for field in value.model_fields_set:
                visit(getattr(value, field))
        elif isinstance(value, dict):
            for item in value.values():
                visit(item)

    visit(model)
    return {f"{cls.__name__}.{field}" for cls in used for field in cls.model_fields if field not in used[cls]}


@pytest.mark.parametrize(
    ("model", "written", "where"),
    [
        (EvaluationConfig, {}, "type"),
        (EvaluationConfig, {"type": "custom", "params": {"temperature": -1}}, "temperature"),
        (EvaluationConfig, {"type": "custom", "params": {"top_p": 1.5}}, "top_p"),
        (EvaluationTarget, {"type": "spaceship"}, "type"),
        (EvaluationTarget, {"type": "model", "model": 5}, "model"),
        (
            EvaluationTarget,
            {"type": "model", "model": {"api_endpoint": {"url": "http://nim.test"}}},
            "model_id",
        ),
    ],
)
def test_nonsense_is_refused_by_name(model: type[NemoModel], written: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError, match=where):
        model.model_validate(written)
