"""Places that spec.valuesFrom names are checked before a Secret is read."""

from __future__ import annotations

from typing import Any

import pytest

from nemo_eval_operator.lifecycle.requests import UnusableTargetPath, check_places
from tests.unit.lifecycle.objects import benchmark, evaljob

CONFIG: dict[str, Any] = {
    "type": "custom",
    "params": {"extra": {"shots": [1]}},
    "tasks": {"qa": {"type": "data", "metrics": {"em": {"type": "em", "params": {"references": ["a"]}}}}},
}
TARGET: dict[str, Any] = {
    "type": "model",
    "model": {"api_endpoint": {"url": "http://nim.test", "model_id": "m"}},
}


def values(*paths: str) -> list[dict[str, Any]]:
    return [{"secretKeyRef": {"name": "s", "key": "k"}, "targetPath": path} for path in paths]


@pytest.mark.parametrize(
    "path",
    [
        "params.extra.hf_token",
        "params.extra.new.deep.key",
        "params.undeclared_but_open",
        "tasks.qa.params.judge.api_key",
        "tasks.qa.metrics.em.params.model.api_endpoint.api_key",
        "tasks.qa.dataset.files_url",
        "custom_fields.token",
    ],
)
def test_places_for_texts_are_accepted(path: str) -> None:
    check_places(benchmark(config=CONFIG, valuesFrom=values(path)))
    check_places(evaljob(config=CONFIG, valuesFrom=values(f"config.{path}")))
    check_places(evaljob(valuesFrom=values(f"config.{path}")), benchmark(config=CONFIG))


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("type.x", "'config.type' is not an object"),
        ("params.extra.shots[5]", "'config.params.extra.shots' has only 1 items"),
        ("parms.extra.hf_token", "there is no field 'parms': did you mean params?"),
        ("tasks.qa.metric.em.type", "there is no field 'metric': did you mean metrics?"),
        (
            "params.limit_samples",
            "a text cannot be put there (config.params.limit_samples: must be a whole number",
        ),
        ("tasks.q.params.judge.api_key", "a text cannot be put there (config.tasks.q.type: is required)"),
    ],
)
def test_another_place_is_named_by_its_item_of_values_from(path: str, problem: str) -> None:
    good = "params.extra.hf_token"
    with pytest.raises(UnusableTargetPath) as caught:
        check_places(benchmark(config=CONFIG, valuesFrom=values(good, path)))
    # Where a path ends is shown as it is written, and a benchmark's begins inside its config.
    of_benchmark = problem.replace("'config.", "'")
    assert str(caught.value).startswith(f"spec.valuesFrom[1].targetPath {path!r}: {of_benchmark}")
    with pytest.raises(UnusableTargetPath) as caught:
        check_places(evaljob(config=CONFIG, valuesFrom=values(f"config.{path}", f"config.{good}")))
    assert str(caught.value).startswith(f"spec.valuesFrom[0].targetPath 'config.{path}': {problem}")


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("target.modell.api_key", "there is no field 'modell': did you mean model?"),
        ("target.type", "a text cannot be put there (target.type: must be one of model, "),
    ],
)
def test_places_in_a_target_are_checked_too(path: str, problem: str) -> None:
    with pytest.raises(UnusableTargetPath) as caught:
        check_places(evaljob(target=TARGET, valuesFrom=values(path)), benchmark(config=CONFIG))
    assert str(caught.value).startswith(f"spec.valuesFrom[0].targetPath {path!r}: {problem}")
    check_places(evaljob(target=TARGET, valuesFrom=values("target.model.api_endpoint.api_key")))


def test_places_in_the_config_of_a_benchmark_that_is_not_known_are_not_judged() -> None:
    check_places(
        evaljob(target=TARGET, valuesFrom=values("config.type.x", "target.model.api_endpoint.api_key"))
    )
    with pytest.raises(UnusableTargetPath, match=r"^spec.valuesFrom\[1\]"):
        check_places(evaljob(target=TARGET, valuesFrom=values("config.type.x", "target.type")))
