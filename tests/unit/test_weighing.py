"""What is too large is found out from the bytes, and the rest of the object is still read."""

from __future__ import annotations

import json
import traceback
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_eval_operator.kube import KubeClient, ObjectKey, ObjectTooLarge, OverHttpx
from nemo_eval_operator.kube.weighing import weighed
from nemo_eval_operator.resources import MAX_PARTS, MAX_SPEC_BYTES, ObjectMeta

KEY = ObjectKey("nemoevaljobs", "team-a", "qa")
STATUS = {"jobId": "eval-1", "phase": "Running"}
TRICKY = st.sampled_from(
    [
        ',"managedFields":[',
        '],"name":"',
        ',"spec":{',
        ',"status":{',
        "managedFields",
        "status",
        "\\",
        '"',
        "{}",
    ]
)
JSON = st.recursive(
    st.none() | st.integers(-9, 9) | TRICKY | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(TRICKY | st.sampled_from(["spec", "name"]), inner, max_size=4)
    ),
    max_leaves=20,
)


def compact(document: object) -> bytes:
    """As the API server writes objects of custom kinds."""
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode() + b"\n"


def manifest(
    spec: object, *, status: object = STATUS, managed: object = ({"fieldsV1": {"f:a": {}}},), **meta: object
) -> dict[str, Any]:
    names = {"name": "qa", "namespace": "team-a", "uid": "u", "creationTimestamp": "2026-03-01T12:00:00Z"}
    metadata = {**names, "managedFields": managed, **meta}
    whole = {"apiVersion": "evaluator.nemo.dev/v1alpha1", "kind": "NemoEvalJob", "metadata": metadata}
    return {**whole, "spec": spec, "status": status}


@given(st.dictionaries(TRICKY, JSON, max_size=5), st.dictionaries(TRICKY, TRICKY, max_size=3))
def test_an_object_that_is_light_enough_is_read_whole_whatever_its_names(
    spec: dict[str, Any], annotations: dict[str, str]
) -> None:
    document = manifest(spec, annotations=annotations)
    found = weighed(compact(document))

    assert found.problem is None
    assert found.document["spec"] == spec
    assert found.document["status"] == STATUS
    kept = found.document["metadata"]
    assert isinstance(kept, dict)
    assert kept["annotations"] == annotations
    assert kept["name"] == "qa"


@given(st.dictionaries(TRICKY, JSON, max_size=5))
def test_of_a_large_object_metadata_and_status_are_read(spec: dict[str, Any]) -> None:
    found = weighed(compact(manifest({**spec, "x": [[]] * (MAX_PARTS + 1)}, finalizers=["f"])))

    assert found.problem is not None
    assert "spec" not in found.document
    assert found.document["status"] == STATUS
    assert isinstance(meta := found.document["metadata"], dict)
    assert meta["finalizers"] == ["f"]


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"x": [[]] * 430_000}, "bytes"),
        ({"x": [[]] * (MAX_PARTS + 1)}, "10,003 values"),
        ({"x": "a" * MAX_SPEC_BYTES}, "bytes"),
        ({"x": [{"": 0}] * 5_000}, "10,002 values"),
        ({"x": dict.fromkeys(map(str, range(MAX_PARTS)))}, "values"),
    ],
)
def test_a_spec_over_a_limit_is_not_read(spec: dict[str, Any], problem: str) -> None:
    found = weighed(compact(manifest(spec)))

    assert found.problem is not None
    assert problem in found.problem
    assert "make it smaller" in found.problem


def test_what_only_looks_like_many_values_is_read() -> None:
    spec = {"x": ",[]{}" * 10_000, "rows": [0] * 5_000}

    assert weighed(compact(manifest(spec))).document["spec"] == spec


def test_fields_that_many_have_managed_do_not_count() -> None:
    managed: list[Any] = [{"fieldsV1": {f"f:{number}": {} for number in range(MAX_PARTS)}}] * 4

    assert weighed(compact(manifest({"a": 1}, managed=managed))).problem is None


def test_metadata_over_a_limit_is_reported_and_the_operators_part_is_kept() -> None:
    labels = {f"label-{number:06}": "" for number in range(MAX_PARTS)}
    annotations = {"evaluator.nemo.dev/claimed-by-uid": "u", "other": ""}
    found = weighed(compact(manifest({"a": 1}, labels=labels, annotations=annotations, finalizers=["f"])))

    assert found.problem is not None
    assert "metadata has" in found.problem
    assert isinstance(meta := found.document["metadata"], dict)
    assert meta["annotations"] == {"evaluator.nemo.dev/claimed-by-uid": "u"}
    assert meta["finalizers"] == ["f"]


def test_a_status_that_is_too_large_is_not_read() -> None:
    found = weighed(compact(manifest({"a": 1}, status={"x": [[]] * 430_000})))

    assert found.problem is not None
    assert "status" not in found.document


def test_what_is_not_an_object_of_a_known_form_is_refused_by_its_weight() -> None:
    assert weighed(b'{"x":[' + b"[]," * 400_000 + b"[]]}").problem is not None


class Kube:
    """Lists objects as the API server does; `limits` are the page sizes that it was asked for."""

    def __init__(self, *objects: dict[str, Any]) -> None:
        self._objects = objects
        self.limits: list[int] = []
        transport = httpx.MockTransport(self._answer)
        self.client = KubeClient(
            OverHttpx(httpx.AsyncClient(base_url="https://kube.test", transport=transport))
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/qa"):
            return httpx.Response(200, content=compact(self._objects[0]))
        limit, start = int(request.url.params["limit"]), int(request.url.params["continue"] or 0)
        self.limits.append(limit)
        end = start + limit
        meta = {"continue": str(end)} if end < len(self._objects) else {}
        page = {
            "apiVersion": "v1",
            "items": self._objects[start:end],
            "kind": "NemoEvalJobList",
            "metadata": meta,
        }
        return httpx.Response(200, content=compact(page))


async def test_a_large_object_raises_with_what_was_read() -> None:
    with pytest.raises(ObjectTooLarge) as raised:
        await Kube(manifest({"x": [[]] * 430_000})).client.get(KEY)

    assert raised.value.rest["status"] == STATUS


async def test_lists_have_smaller_pages_where_objects_are_large_and_miss_none() -> None:
    large = manifest({"x": [[]] * 430_000})
    objects = [large if 100 <= number < 104 else manifest({"n": number}) for number in range(300)]
    kube = Kube(*objects)
    found = [document async for document in kube.client.list_all("nemoevaljobs", None)]

    assert [document.get("spec") for document in found] == [
        None if document is large else document["spec"] for document in objects
    ]
    assert min(kube.limits) == 1
    assert kube.limits[-1] > 1


async def test_after_a_page_that_was_too_large_the_next_ones_are_as_large_as_they_can_be() -> None:
    objects = [manifest({"text": "x" * 9_000, "n": number}) for number in range(1500)]
    kube = Kube(*objects)

    found = [document async for document in kube.client.list_all("nemoevaljobs", None)]

    assert [document["spec"] for document in found] == [document["spec"] for document in objects]
    assert len(kube.limits) <= 10


async def test_a_write_is_answered_with_metadata_alone() -> None:
    """HTTP answers are freed by the garbage collector only: many of 1.3 MB would be in memory together."""
    accepted: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        accepted.append(request.headers["Accept"])
        return httpx.Response(200, json={"metadata": {"name": "large", "resourceVersion": "2"}})

    http = httpx.AsyncClient(base_url="https://kube.test", transport=httpx.MockTransport(answer))
    client, meta = KubeClient(OverHttpx(http)), ObjectMeta(name="large", uid="u", resource_version="1")
    await client.replace_status(KEY, meta, {})
    await client.replace_finalizers(KEY, meta, [])

    assert accepted == ["application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"] * 2


async def test_what_is_known_of_a_large_object_does_not_keep_its_bytes() -> None:
    large = manifest({"x": [[]] * 430_000})
    with pytest.raises(ObjectTooLarge) as raised:
        await Kube(large).client.get(KEY)

    frames = [frame for frame, _ in traceback.walk_tb(raised.value.__traceback__)]
    of_client = [frame for frame in frames if frame.f_code.co_name == "get"]
    assert of_client
    assert not any(isinstance(value, bytes) for frame in of_client for value in frame.f_locals.values())
