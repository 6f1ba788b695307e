"""Objects that the API server accepted and the operator cannot parse: their status says what is wrong."""

from __future__ import annotations

import json

import httpx
import pytest
from pydantic import ValidationError

from nemo_eval_operator.kube import KubeClient, KubeUnavailable, ObjectKey, OverHttpx
from nemo_eval_operator.reconcile.objects import first_problem
from nemo_eval_operator.resources import NemoBenchmark

KEY = ObjectKey("nemobenchmarks", "team-a", "qa")


def answering(content: bytes) -> KubeClient:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=content))
    return KubeClient(OverHttpx(httpx.AsyncClient(base_url="https://kube.test", transport=transport)))


def nested(depth: int) -> bytes:
    extra = '{"a":' * depth + "1" + "}" * depth
    document = {"metadata": {"name": "qa"}, "spec": {"config": {"type": "x", "params": {"extra": "HERE"}}}}
    return json.dumps(document).replace('"HERE"', extra).encode()


async def test_a_deep_object_is_read_and_its_field_is_named() -> None:
    document = await answering(nested(500)).get(KEY)
    with pytest.raises(ValidationError) as caught:
        NemoBenchmark.model_validate(document)
    assert first_problem(caught.value) == "spec.config.params.extra.a.dict…: nested too deeply to be read"


async def test_what_is_usual_is_not_too_deep() -> None:
    NemoBenchmark.model_validate(await answering(nested(200)).get(KEY))


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"<html>", b"\xff", b"[" * 2_000])
async def test_an_answer_that_is_no_object_is_no_answer(content: bytes) -> None:
    with pytest.raises(KubeUnavailable, match="answered something other than"):
        await answering(content).get(KEY)


def test_no_value_is_shown() -> None:
    bad = {"metadata": {"name": "qa"}, "spec": {"config": {"type": {"api_key": "canary"}}}}
    with pytest.raises(ValidationError) as caught:
        NemoBenchmark.model_validate(bad)
    assert first_problem(caught.value) == "spec.config.type: must be text"
    assert "canary" not in str(caught.value), "nor in a trace"
