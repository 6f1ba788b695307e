"""Our reading of label selectors is the API server's."""

import json

import pytest

from nemo_eval_operator.resources import BadSelector, LabelSelector
from testbed.cluster import Cluster, KubectlError

OBJECTS: dict[str, dict[str, str]] = {
    "bare": {},
    "one": {"shard": "one"},
    "two": {"shard": "two", "team.test/name": "a-team"},
    "empty": {"shard": ""},
}

SELECTORS = [
    "shard=one",
    "shard == one",
    "shard!=one",
    "shard=",
    "shard",
    "!shard",
    "shard in (one,two)",
    "shard in ( two )",
    "shard notin (one, two)",
    "shard in (one,two),team.test/name=a-team",
    "shard,shard!=one,!team.test/name",
    "other notin (x)",
]

BAD_SELECTORS = ["shard=one two", "shard in one", "shard>>1", "=one", "sh ard", "shard in (one", "a=b,,c=d"]


def test_a_selector_matches_what_the_api_server_matches(cluster: Cluster, namespace: str) -> None:
    for name, labels in OBJECTS.items():
        manifest = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "labels": {**labels, "is": "ours"}},
        }
        cluster.kubectl("apply", "--namespace", namespace, "-f", "-", input=json.dumps(manifest))
    for text in SELECTORS:
        listed = cluster.kubectl(
            "get", "configmaps", "--namespace", namespace, "-l", f"is=ours,{text}", "-o", "name"
        )
        expected = {line.partition("/")[2] for line in listed.stdout.split()}

        selector = LabelSelector.parse(text)

        assert {name for name, labels in OBJECTS.items() if selector.matches(labels)} == expected, text


@pytest.mark.parametrize("text", BAD_SELECTORS)
def test_what_the_api_server_refuses_is_refused(cluster: Cluster, namespace: str, text: str) -> None:
    with pytest.raises(KubectlError):
        cluster.kubectl("get", "configmaps", "--namespace", namespace, "-l", text)

    with pytest.raises(BadSelector):
        LabelSelector.parse(text)


def test_an_empty_selector_matches_everything() -> None:
    assert LabelSelector.parse("").matches({})
    assert LabelSelector.parse("").matches({"shard": "one"})
