"""Whose values are masked where: no tenant's value spoils another's texts, and none is shown to another."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nemo_eval_operator.evaluator.model import KnownSecrets, Malformed, RemoteJob, Results
from nemo_eval_operator.evaluator.model.known_secrets import (
    MAX_KEPT,
    MAX_SECRET_CHARACTERS,
    MAX_SHARED_LINES,
    MAX_TENANT_CHARACTERS,
    is_random,
    is_word,
)
from tests.unit.evaluator.exchanges import CONFIG, JOB, RESULTS
from tests.unit.evaluator.scripted import answering

PLACEHOLDERS = (
    "k8s-uid",
    "metrics",
    "ollama",
    "openai",
    "scores",
    "not-needed",
    "eval-1",
    "accuracy",
    "completed",
)

KEY = "nvapi-9dK2mQ7xWvTz4LsR8bYc"
PASSPHRASE = "correct horse battery staple"


def document() -> dict[str, Any]:
    """Results with all words that a value might be, as keys, as protocol words and in texts."""
    scores = {"scores": {"accuracy": {"value": 0.5, "stats": {"count": 20}}}}
    task = {"metrics": dict.fromkeys(PLACEHOLDERS, scores), "data": {"samples": ["ollama and openai"]}}
    return RESULTS | {"tasks": {"metrics": task}, "custom_fields": {"k8s-uid": "u-1"}, "namespace": "openai"}


@pytest.mark.parametrize("value", PLACEHOLDERS)
@pytest.mark.parametrize("owner", ["a", "b"])
@pytest.mark.parametrize("origin", ["read", "plain"])
def test_a_placeholder_of_b_and_of_a_itself_leaves_the_document_of_a_as_it_is(
    value: str, owner: str, origin: str
) -> None:
    known = KnownSecrets()
    known.keep(owner, f"team-{owner}", **{"read": [], "plain": [], origin: [value]})
    results = Results.of(document())
    assert not known.of("a").is_in_names(results.document)
    assert results.hiding(known.of("a")) is results
    said = "openai: the metrics of ollama are not-needed, scores and accuracy of eval-1 completed, k8s-uid"
    if owner == "b":
        assert known.of("a").hide(said) == said
        assert known.of(None).hide(said) == said


def test_a_plain_value_is_masked_for_its_object_alone() -> None:
    known = KnownSecrets()
    known.keep("b", "team-b", read=[], plain=[KEY])
    assert known.of("b").hide(f"no such key: {KEY}") == "no such key: ******"
    assert known.of("a").hide(f"no such key: {KEY}") == f"no such key: {KEY}"


def test_what_an_evaluator_was_given_for_a_is_not_shown_to_b() -> None:
    known = KnownSecrets()
    known.keep("a", "team-a", read=[KEY, PASSPHRASE])
    echoed: dict[str, Any] = {"job": "eval-1", "tasks": {"t": {"data": [f"key {KEY}", PASSPHRASE, 7, None]}}}
    for owner in ("a", "b", None):
        assert KEY not in known.of(owner).hide(f"no such key: {KEY}")
        assert KEY not in json.dumps(known.of(owner).hide_in(echoed))
    assert PASSPHRASE not in json.dumps(known.of("a").hide_in(echoed))
    assert PASSPHRASE not in known.of("a").hide(PASSPHRASE)
    known.forget("a")
    assert known.of("b").hide(KEY) == KEY


def test_credentials_of_the_evaluator_are_masked_for_every_owner() -> None:
    known = KnownSecrets(["first-token-7d21a"])
    known.use(["second-token-7d21a"])
    for owner in ("a", None):
        assert known.of(owner).hide("second-token-7d21a, first-token-7d21a") == "******, ******"


def test_a_document_keeps_its_keys_its_numbers_and_its_structure() -> None:
    known = KnownSecrets([KEY])
    before: dict[str, Any] = {
        "job": "eval-1",
        "tasks": {"t": [f"Bearer {KEY}", {"a": KEY, KEY: 1}, 1, 2.5, None, True]},
    }
    after = known.of("a").hide_in(before)
    assert after == {
        "job": "eval-1",
        "tasks": {"t": ["Bearer ******", {"a": "******", KEY: 1}, 1, 2.5, None, True]},
    }
    assert known.of("a").is_in_names(before), "so it is not stored at all"


def test_the_id_of_the_job_stays_in_its_results() -> None:
    known = KnownSecrets()
    known.keep("a", "team-a", read=["eval-T2s-is-my-password"])
    results = Results.of(RESULTS | {"job": "eval-T2s-is-my-password"}).hiding(known.of("a"))
    assert results.document["job"] == "eval-T2s-is-my-password"


@pytest.mark.parametrize("answer", [JOB | {"id": "token-7d21a"}, JOB | {"id": "x.dG9rZW4tN2QyMWE"}])
async def test_an_id_that_holds_a_credential_is_malformed(answer: dict[str, Any]) -> None:
    evaluator = answering(200, answer)
    evaluator.known.use(["token-7d21a"])
    with pytest.raises(Malformed, match="id: it contains a credential"):
        await evaluator.client.create_job({})
    with pytest.raises(Malformed, match="id: it contains a credential"):
        await evaluator.client.get_job("eval-1")
    evaluator = answering(200, {"data": [answer]})
    evaluator.known.use(["token-7d21a"])
    with pytest.raises(Malformed, match="id: it contains a credential"):
        [job async for job in evaluator.client.list_jobs()]


async def test_the_id_of_a_config_that_holds_an_objects_own_value_is_malformed() -> None:
    evaluator = answering(200, CONFIG | {"id": f"config-{KEY}"})
    evaluator.known.keep("a", "team-a", read=[KEY])
    with pytest.raises(Malformed, match="id: it contains a credential"):
        await evaluator.client.about("a").get_config("team-a", "qa")
    assert (await evaluator.client.about("b").get_config("team-a", "qa")).id == f"config-{KEY}"


async def test_no_value_of_b_makes_an_id_of_a_malformed() -> None:
    evaluator = answering(200, JOB)
    evaluator.known.keep("b", "team-b", read=[JOB["id"], "eval-WF5x"])
    assert (await evaluator.client.about("a").get_job(JOB["id"])).id == JOB["id"]
    assert (await evaluator.client.get_job(JOB["id"])).id == JOB["id"]


def test_what_is_decided_by_a_message_does_not_depend_on_what_is_masked() -> None:
    details = {"message": "the server was restarted", "masked_message": "shown instead"}
    job = RemoteJob.model_validate(JOB | {"status": "failed", "status_details": details})
    assert job.readable_message == "the server was restarted", "no field of an answer"
    known = KnownSecrets()
    known.keep("a", "team-a", read=["restarted"])
    hidden = job.hiding(known.of("a"))
    assert (hidden.message, hidden.readable_message) == ("the server was restarted", "the server was ******")


@pytest.mark.parametrize(
    "value",
    ["k8s-uid", "ollama", "not-needed", "sk-1234", "lm-studio", "EMPTY-KEY", "exact_match"],
)
def test_what_is_a_word(value: str) -> None:
    assert is_word(value)


@pytest.mark.parametrize("value", ["token-abc123", PASSPHRASE, KEY])
def test_what_is_no_word(value: str) -> None:
    assert not is_word(value)


@pytest.mark.parametrize(
    ("value", "generated"),
    [
        (KEY, True),
        ("sk-proj-4fJ0aZq9Lk2VwX8s", True),
        ("9f86d081884c7d659a2feaa0c55ad015", True),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.dozjgNryP4J3jVmNHl0w5N", True),
        ("9f86d081884c7d", False),
        (PASSPHRASE, False),
        ("meta/llama-3.1-8b-instruct", False),
        ("http://nim.team-a.svc:8000/v1/chat/completions", False),
        ("multiple_choice_grade_2", False),
        ("The 3 models of 2024 were 7 and 9", False),
        ("12345678901234567890", False),
    ],
)
def test_what_looks_generated(value: str, generated: bool) -> None:
    assert is_random(value) is generated


def test_what_is_kept_of_one_object_is_bounded_however_often_its_values_change() -> None:
    known = KnownSecrets()
    for number in range(50):
        known.keep("a", "team-a", read=[f"{number:08}" + "x" * (MAX_SECRET_CHARACTERS // 2)])
    assert known.characters <= MAX_KEPT * MAX_SECRET_CHARACTERS
    assert known.of("a").hide("00000049" + "x" * (MAX_SECRET_CHARACTERS // 2)) == "******"
    assert known.of("a").hide("00000048" + "x" * (MAX_SECRET_CHARACTERS // 2)) == "******", (
        "it may run with it"
    )
    known.forget("a")
    assert (known.characters, known.windows) == (0, 0)


def test_no_tenant_makes_the_operator_forget_anothers_values() -> None:
    known = KnownSecrets(["token-of-evaluator-7d21a"])
    known.keep("a", "team-a", read=[KEY])
    for number in range(2_000):
        values = [f"{number:04}-{line}-9dK2mQ7xWvTz4LsR8bYc" * 20 for line in range(10)]
        known.keep(f"b-{number}", "team-b", read=values, plain=[f"plain-{number}"])
    assert known.characters <= MAX_TENANT_CHARACTERS + MAX_KEPT * MAX_SECRET_CHARACTERS
    for owner in ("a", "c", None):
        assert known.of(owner).hide(f"{KEY} token-of-evaluator-7d21a") == "****** ******"
    assert known.of("b-1999").hide("1999-3-9dK2mQ7xWvTz4LsR8bYc" * 20) == "******", "the newest are known"
    for number in range(2_000):
        known.forget(f"b-{number}")
    assert known.characters == len(KEY)


def test_what_is_masked_for_all_is_bounded_in_each_namespace() -> None:
    known = KnownSecrets()
    for number in range(2 * MAX_SHARED_LINES):
        known.keep(f"b-{number}", "team-b", read=[f"9dK2mQ7xWvTz4LsR8bYc{number:04}"])
    seen_by_others = [
        number
        for number in range(2 * MAX_SHARED_LINES)
        if known.of("a").hide(f"9dK2mQ7xWvTz4LsR8bYc{number:04}") == "******"
    ]
    assert len(seen_by_others) == MAX_SHARED_LINES
    known.keep("c", "team-c", read=[KEY])
    assert known.of("a").hide(KEY) == "******"
