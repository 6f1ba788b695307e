"""Words for what pydantic refuses: the path as it is in the document, and what to change."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nemo_eval_operator.gates.policy import Gate
from nemo_eval_operator.likely_names import most_like
from nemo_eval_operator.nemo import EvaluationConfig, EvaluationTarget
from nemo_eval_operator.validation import first_problem, in_words


class Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    count: int = Field(0, ge=1, le=20)
    share: float = Field(0.5, gt=0, lt=1)
    name: str = Field("a", min_length=1, max_length=4, pattern="^[a-z]*$")
    tracker: Literal["mlflow"] = "mlflow"
    exact: bool = True
    words: list[str] = Field(default=["a", "b"], min_length=2, max_length=3)
    nested: dict[str, Entry] | None = None


def refusal(model: type[BaseModel], document: Any) -> ValidationError:
    with pytest.raises(ValidationError) as refused:
        model.model_validate(document)
    return refused.value


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"count": 21}, "count: must be at most 20"),
        ({"count": 0}, "count: must be at least 1"),
        ({"count": "many"}, "count: must be a whole number"),
        ({"count": 1.5}, "count: must be a whole number"),
        ({"share": 0}, "share: must be greater than 0"),
        ({"share": 1}, "share: must be less than 1"),
        ({"share": "half"}, "share: must be a number"),
        ({"name": ""}, "name: must not be empty"),
        ({"name": "abcde"}, "name: must have at most 4 characters"),
        ({"name": "A"}, "name: must match ^[a-z]*$"),
        ({"name": 1}, "name: must be text"),
        ({"tracker": "wandb"}, "tracker: 'wandb' is not one of mlflow"),
        ({"tracker": "mlfow"}, "tracker: 'mlfow' is not one of mlflow; did you mean mlflow?"),
        ({"tracker": ["wandb"]}, "tracker: must be one of mlflow"),
        ({"exact": "often"}, "exact: must be true or false"),
        ({"words": ["a"]}, "words: must have at least 2 items"),
        ({"words": "a"}, "words: must be a list"),
        ({"words": ["a", 1]}, "words[1]: must be text"),
        ({"nested": {"a.b": {"cuont": 1}}}, "nested.a.b.cuont: unknown field; did you mean count?"),
        ({"nested": [1]}, "nested: must be an object"),
        ({"zzz": 1}, "zzz: unknown field"),
        ([], "must be an object"),
    ],
)
def test_a_problem_is_said_in_the_words_of_a_manifest(document: Any, words: str) -> None:
    assert first_problem(refusal(Entry, document), Entry).replace("instance of ", "") == words


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"temperature": -1}, "params.temperature: must be at least 0"),
        ({"temperature": "hot"}, "params.temperature: must be a number"),
        ({"top_p": 1.5}, "params.top_p: must be at most 1"),
        ({"stop": [""]}, "params.stop[0]: must not be empty"),
        ({"stop": 1}, "params.stop: must be text or a list"),
    ],
)
def test_the_types_that_a_value_may_have_are_no_part_of_its_path(params: Any, words: str) -> None:
    error = refusal(EvaluationConfig, {"type": "custom", "params": params})

    assert first_problem(error, EvaluationConfig) == words


def test_the_alternative_that_was_meant_is_explained() -> None:
    document = {"type": "model", "model": {"api_endpoint": {"url": "http://nim.test/v1"}}}

    error = refusal(EvaluationTarget, document)

    assert first_problem(error, EvaluationTarget) == "model.api_endpoint.model_id: is required"


def test_names_and_the_root_of_the_document_are_those_of_its_reader() -> None:
    error = refusal(Entry, {"count": 0})

    assert first_problem(error, Entry, names={"count": "--limit"}) == "--limit: must be at least 1"
    assert first_problem(error, Entry, root="spec.gate") == "spec.gate.count: must be at least 1"
    assert first_problem(error, None) == "count: must be at least 1"


def test_aliases_are_the_names_that_are_suggested() -> None:
    error = refusal(Gate, {"criteria": [{"score": "a", "minimum": 1, "max_drp": 1}]})

    assert first_problem(error, Gate) == "criteria[0].max_drp: unknown field; did you mean maxDrop?"


def test_a_value_that_is_hidden_is_not_shown() -> None:
    (problem,) = refusal(Entry, {"tracker": "canary"}).errors(include_input=False)

    assert in_words(problem) == "must be one of mlflow"


def test_a_long_value_is_cut() -> None:
    assert len(first_problem(refusal(Entry, {"tracker": "x" * 10_000}), Entry)) < 100


@pytest.mark.parametrize(
    ("name", "meant"),
    [("min", "minimum"), ("filesUrl", "files_url"), ("ma", None), ("max", None), ("other", None)],
)
def test_the_name_that_was_probably_meant(name: str, meant: str | None) -> None:
    assert most_like(name, ["minimum", "maxDrop", "maximum", "files_url"]) == meant
