"""Secrets are read when they are used, each once, and what was read is remembered as not to be shown."""

from __future__ import annotations

from typing import Any

import pytest

from nemo_eval_operator.evaluator.model import MAX_SECRET_CHARACTERS, MAX_SECRET_LINES
from nemo_eval_operator.kube import key_of
from nemo_eval_operator.lifecycle.requests import ALLOW_LABEL
from nemo_eval_operator.reconcile.secrets import SecretMissing, SecretReader, remember
from nemo_eval_operator.resources import NemoEvaluatorConnection
from nemo_eval_operator.sessions.credentials import CredentialsMissing, CredentialsReader
from nemo_eval_operator.sessions.secret_store import SecretStore
from tests.unit.evaluator.scripted import answering
from tests.unit.lifecycle.objects import UID, benchmark, evaljob
from tests.unit.reconcile.api_server import ApiServer


def source(path: str, *, name: str = "hub", key: str = "token", **reference: Any) -> dict[str, Any]:
    return {"secretKeyRef": {"name": name, "key": key} | reference, "targetPath": path}


async def test_values_are_read_with_their_versions_and_each_secret_once() -> None:
    server = ApiServer()
    server.put_secret("hub", version="7", token="hf-canary", other="other-canary")
    server.put_secret("keys", api="api-canary")
    thing = benchmark(
        valuesFrom=[source("a.b"), source("a.c", key="other"), source("d", name="keys", key="api")]
    )
    read = await SecretReader(server.client).read(thing)
    assert read.values == {"a.b": "hf-canary", "a.c": "other-canary", "d": "api-canary"}
    assert [version.to_manifest() for version in read.versions] == [
        {"name": "hub", "uid": "uid-of-hub", "resourceVersion": "7"},
        {"name": "keys", "uid": "uid-of-keys", "resourceVersion": "1"},
    ]
    assert len(server.requests) == 2
    assert sorted(read.given.read) == ["api-canary", "hf-canary", "other-canary"]
    assert "canary" not in repr(read.versions)


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ({}, "it does not exist"),
        ({"other": "x"}, "it has no such key, or no text there"),
    ],
)
async def test_what_is_missing_is_named(secret: dict[str, str], said: str) -> None:
    server = ApiServer()
    if secret:
        server.put_secret("hub", **secret)
    with pytest.raises(SecretMissing) as caught:
        await SecretReader(server.client).read(evaljob(valuesFrom=[source("config.a")]))
    assert str(caught.value) == f"Secret team-a/hub with key 'token' is needed for config.a: {said}"


async def test_a_value_that_is_no_text_is_missing() -> None:
    server = ApiServer()
    server.put_secret("hub", token="x")
    server.documents["/api/v1/namespaces/team-a/secrets/hub"]["data"]["token"] = "/////w=="
    with pytest.raises(SecretMissing, match="no text there"):
        await SecretReader(server.client).read(evaljob(valuesFrom=[source("config.a")]))


@pytest.mark.parametrize("exists", [True, False])
async def test_what_is_optional_is_passed_over_until_it_is_there(exists: bool) -> None:
    server = ApiServer()
    if exists:
        server.put_secret("hub", other="x")
    reader = SecretReader(server.client)
    thing = benchmark(valuesFrom=[source("a.b", optional=True)])
    before = await reader.read(thing)
    assert before.values == {}
    server.put_secret("hub", version="2", token="hf-canary")
    assert await reader.versions(thing) != before.versions, "its appearance is a change"
    assert (await reader.read(thing)).values == {"a.b": "hf-canary"}


async def test_a_job_may_echo_what_it_and_its_benchmark_were_given() -> None:
    server = ApiServer()
    server.put_secret("hub", token="hf-canary")
    server.put_secret("keys", api="api-canary")
    config = {"type": "gsm8k", "params": {"extra": {"x_api_key": "plain-canary"}}}
    bench = benchmark(config=config, valuesFrom=[source("params.extra.hf_token")])
    server.put("nemobenchmarks", "qa", bench.model_dump(mode="json", by_alias=True))
    job = evaljob(meta={"uid": f"{UID}-job"}, valuesFrom=[source("target.x", name="keys", key="api")])
    given = await SecretReader(server.client).recall(job)
    assert (sorted(given.read), given.plain) == (["api-canary", "hf-canary"], ("plain-canary",))


async def test_a_value_that_was_rotated_meanwhile_is_still_known() -> None:
    server = ApiServer()
    server.put_secret("hub", token="first-canary")
    reader = SecretReader(server.client)
    job = evaljob(valuesFrom=[source("config.a")], config={"type": "gsm8k"})
    client, key = answering(200).client, key_of(job)
    remember(client, key, (await reader.read(job)).given)
    server.put_secret("hub", token="second-canary")
    remember(client, key, await reader.recall(job))
    assert client.known.of(key).hide("first-canary second-canary") == "****** ******"


@pytest.mark.parametrize("document", [None, {"spec": 7}])
async def test_a_benchmark_that_is_gone_or_unreadable_holds_up_nothing(document: object) -> None:
    server = ApiServer()
    if isinstance(document, dict):
        server.put("nemobenchmarks", "qa", document)
    server.put_secret("hub", token="hf-canary")
    job = evaljob(valuesFrom=[source("config.a"), source("config.b", name="gone")])
    assert (await SecretReader(server.client).recall(job)).read == ("hf-canary",)


class TestOnlyReleasedSecrets:
    """NEMO_REQUIRE_SECRET_LABEL: a Secret's owner decides, not the author of the job."""

    @pytest.mark.parametrize("labels", [{}, {ALLOW_LABEL: "false"}, {ALLOW_LABEL: "True"}, {"allow": "true"}])
    @pytest.mark.parametrize("optional", [False, True])
    async def test_others_are_refused_by_the_fields_path(
        self, labels: dict[str, str], optional: bool
    ) -> None:
        server = ApiServer()
        server.put_secret("hub", token="hf-canary")
        server.label_secret("hub", labels)
        reader = SecretReader(server.client, SecretStore(server.client, require_label=True))
        thing = evaljob(valuesFrom=[source("config.a", optional=optional)], config={"type": "gsm8k"})
        with pytest.raises(SecretMissing) as caught:
            await reader.read(thing)
        assert caught.value.reason == "SecretNotAllowed"
        assert str(caught.value) == (
            "spec.valuesFrom[0].secretKeyRef: Secret team-a/hub is not read, as it does not carry the label "
            "evaluator.nemo.dev/allow=true, which this operator requires. If its owner agrees: "
            "kubectl label secret hub --namespace team-a evaluator.nemo.dev/allow=true"
        )
        given = await reader.recall(thing)
        assert not given.read, "a text with a mask would confirm a guess of the value"

    async def test_a_released_one_is_read_and_its_release_counts_as_a_change(self) -> None:
        server = ApiServer()
        server.put_secret("hub", token="hf-canary")
        reader = SecretReader(server.client, SecretStore(server.client, require_label=True))
        thing = benchmark(valuesFrom=[source("a.b")])
        before = await reader.versions(thing)
        server.put_secret("hub", version="2", token="hf-canary")
        server.label_secret("hub", {ALLOW_LABEL: "true"})
        read = await reader.read(thing)
        assert read.values == {"a.b": "hf-canary"}
        assert read.versions != before

    async def test_credentials_of_a_connection_are_guarded_too(self) -> None:
        server = ApiServer()
        server.put_secret("door", token="door-canary")
        store = SecretStore(server.client, require_label=True)
        reader = CredentialsReader(server.client, store, loopback=False)
        thing = NemoEvaluatorConnection.model_validate(
            {
                "apiVersion": "evaluator.nemo.dev/v1alpha1",
                "kind": "NemoEvaluatorConnection",
                "metadata": {"name": "main", "namespace": "team-a"},
                "spec": {
                    "url": "https://evaluator.test",
                    "auth": {"bearerToken": {"name": "door", "key": "token"}},
                },
            }
        )
        with pytest.raises(
            CredentialsMissing, match=r"^spec.auth.bearerToken: Secret team-a/door is not read"
        ):
            await reader.read(thing)
        server.label_secret("door", {ALLOW_LABEL: "true"})
        assert (await reader.read(thing)).headers == {"Authorization": "Bearer door-canary"}


@pytest.mark.parametrize(
    "value",
    ["x" * (MAX_SECRET_CHARACTERS + 1), "x\n" * (MAX_SECRET_LINES + 1), "a line\n" * 140_000],
    ids=["too long", "too many lines", "140,000 lines"],
)
async def test_what_is_too_large_for_a_credential_is_neither_sent_nor_kept(value: str) -> None:
    server = ApiServer()
    server.put_secret("hub", token=value)
    with pytest.raises(SecretMissing) as caught:
        await SecretReader(server.client).read(evaljob(valuesFrom=[source("config.a")]))
    assert caught.value.reason == "SecretTooLarge"
    assert str(caught.value).startswith("spec.valuesFrom: the values have more than 16,384 characters or 256")
