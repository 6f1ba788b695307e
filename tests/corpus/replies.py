"""Answers that no evaluator should give, and what the operator makes of each. Sizes are past the limits."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from nemo_eval_operator.evaluator.model import (
    Ambiguous,
    Conflicting,
    EvaluatorError,
    Malformed,
    Missing,
    Oversized,
    Rejected,
    Unauthorized,
    Unavailable,
    Unsupported,
)

MIB = 1024**2


@dataclass(frozen=True)
class Reply:
    """One answer; `error` None: it can be used. `said` is part of what people are shown."""

    name: str
    body: bytes
    error: type[EvaluatorError] | None
    said: str = ""
    call: str = "get_job"
    code: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def job(**fields: Any) -> bytes:
    return json.dumps({"id": "eval-1", "status": "running"} | fields).encode()


def results(text: str) -> bytes:
    return b'{"job": "eval-1", "tasks": {"t": %s}}' % text.encode()


def _no_json() -> Iterator[Reply]:
    bodies = {
        "empty": b"",
        "blank": b" \n\t ",
        "cut off": b'{"id": "eval-1", "stat',
        "cut off in a character": '{"id": "é'.encode()[:-1],
        "two documents": b'{"id": "eval-1"}{"id": "eval-2"}',
        "trailing text": b'{"id": "eval-1"} OK',
        "a byte order mark": b"\xef\xbb\xbf" + job(),
        "UTF-16": job().decode().encode("utf-16"),
        "Latin-1": '{"id": "é"}'.encode("latin-1"),
        "NUL bytes": b"\x00" * 1_000,
        "random bytes": bytes(range(256)) * 10,
        "an ingress' page": b"<!DOCTYPE html><html><body>Welcome to nginx!</body></html>",
        "XML": b'<?xml version="1.0"?><job id="eval-1"/>',
        "YAML": b"id: eval-1\nstatus: running\n",
        "single quotes": b"{'id': 'eval-1'}",
        "a comment": b'{"id": "eval-1" /* the id */}',
        "a trailing comma": b'{"id": "eval-1",}',
        "a Python repr": b"{'id': None}",
        "a raw line break in a text": b'{"id": "eval\n1"}',
        "a raw NUL in a text": b'{"id": "eval\x001"}',
        "a broken escape": b'{"id": "\\x65val"}',
        "a number without end": b'{"id": "eval-1", "n": ' + b"9" * 100_000 + b"}",
        "deep lists": b"[" * 100_000,
        "deep lists, closed": b'{"id": ' + b"[" * 1_000 + b"]" * 1_000 + b"}",
        "deep objects": b'{"a":' * 20_000,
        "server-sent events": b"data: " + job() + b"\n\n",
    }
    for name, body in bodies.items():
        yield Reply(name, body, Malformed, "answered 200, but body: ")


def _no_job() -> Iterator[Reply]:
    for body in (b"null", b"true", b"0", b"NaN", b'"eval-1"', b"[]", b'[{"id": "eval-1"}]'):
        yield Reply(f"{body.decode()} instead of a job", body, Malformed, "body: it is no JSON object")
    for name, value in {
        "null": None,
        "a number": 7,
        "a list": ["eval-1"],
        "an object": {"id": "eval-1"},
        "true": True,
        "empty": "",
        "of 129 characters": "x" * 129,
        "two lines": "eval-1\n12:00:00 WARNING forged",
        "an escape sequence": "eval-1\x1b[2J",
        "text from right to left": "\u202e1-lave",
        "a path": "eval-1/../eval-2",
        "a way up": "..",
        "a query": "eval-1?x=y",
        "two words": "eval 1",
        "not ASCII": "éval-1",
        "markup": "<b>eval-1</b>",
        "of a mebibyte": "x" * MIB,
    }.items():
        yield Reply(f"an id that is {name}", job(id=value), Malformed, "answered 200, but id: ")
    yield Reply("no id", b'{"status": "running"}', Malformed, "but id: Field required")
    yield Reply("an ID in capitals", b'{"ID": "eval-1"}', Malformed, "but id: Field required")
    yield Reply("the first of two ids is no id", b'{"id": 7, "id": "eval-1"}', None)
    yield Reply("the last of two ids is no id", b'{"id": "eval-1", "id": 7}', Malformed, "but id: ")


def _odd_jobs() -> Iterator[Reply]:
    """Odd, but the job can be followed all the same: a running evaluation must not be lost over it."""
    value: object
    for value in (None, 7, [], {}, True, "", "RUNNING", "x" * MIB, "\x1b[31m"):
        yield Reply(f"a status {str(value)[:10]!r}", job(status=value), None)
    for value in (None, 7, [], "text", {"progress": {}}, {"progress": "half"}, {"message": ["no"]}):
        yield Reply(f"status_details {value!r}", job(status_details=value), None)
    for number in ("NaN", "Infinity", "-Infinity", "1e999", "-5", "1" + "0" * 400, "true"):
        details = b'{"progress": %s, "samples_processed": %s}' % (number.encode(), number.encode())
        body = b'{"id": "eval-1", "status": "running", "status_details": %s}' % details
        yield Reply(f"progress {number[:12]}", body, None)
    for value in (None, "soon", 7, "2025-13-45T99:99:99", "9" * 1_000, {}):
        yield Reply(f"created_at {str(value)[:10]!r}", job(created_at=value), None)
    for value in (None, [], "text", {"k8s-uid": [1]}):
        yield Reply(f"custom_fields {value!r}", job(custom_fields=value), None)
    yield Reply("half a character", b'{"id": "eval-1", "status_details": {"message": "cut \\ud83d"}}', None)
    yield Reply("the other half", b'{"id": "eval-1", "status_details": {"message": "\\uDE00 cut"}}', None)
    yield Reply("a message of a mebibyte", job(status="failed", status_details={"message": "x" * MIB}), None)
    yield Reply("as text/html", job(), None, headers={"Content-Type": "text/html; charset=utf-16"})
    yield Reply("as nothing", job(), None, headers={"Content-Type": ""})
    yield Reply("with a code of its own", job(), None, code=299)
    yield Reply("unknown fields", job(surprise={"a": [1, {"b": None}]}), None)


def _too_much() -> Iterator[Reply]:
    too_many = "more than 150,000 objects, lists and items"
    yield Reply(
        "4 MiB in a text", job(surprise="x" * 4 * MIB), Oversized, "answered 200 with more than 3 MiB"
    )
    yield Reply("10 MB of blanks", b" " * 10_000_000, Oversized, "answered 200 with more than 3 MiB")
    yield Reply("1 MiB of lists", b'{"id": [' + b"[]," * (MIB // 3) + b"0]}", Oversized, too_many)
    yield Reply("1 MiB of objects", b'{"id": [' + b"{}," * (MIB // 3) + b"0]}", Oversized, too_many)
    yield Reply("1 MiB of numbers", b'{"id": [' + b"1," * (MIB // 2) + b"0]}", Oversized, too_many)
    lists = b"[" + b"[]," * 170_000 + b"0]"
    for call, name in (("get_job", b"id"), ("get_config", b"name"), ("create_job", b"id")):
        own = b'{"%s": "eval-1", "custom_fields": {"x": %s}}' % (name, lists)
        yield Reply(f"340,000 parts for {call}", own, Oversized, too_many, call)
    page = b'{"data": [{"id": "eval-1", "custom_fields": {"x": %s}}]}' % lists
    yield Reply("340,000 parts on a page", page, Oversized, "more than 320,000 objects", "list_jobs")
    yield Reply("340,000 parts in results", results(f'{{"x": {lists.decode()}}}'), None, call="get_results")
    halves = b'{"id": "eval-1", "x": "%s"}' % (rb"\ud800" * 250_001)
    yield Reply("250,001 halves of characters", halves, Oversized, "more than 250,000 halves of characters")
    yield Reply("2 MiB of backslashes", b'{"id": "eval-1", "x": "\\ud800%s"}' % (rb"\\" * (MIB - 50)), None)
    yield Reply(
        "a list of 9 MiB", b'{"data": ["' + b"x" * 9 * MIB + b'"]}', Oversized, "more than 8 MiB", "list_jobs"
    )
    yield Reply(
        "results of 33 MiB", results('"' + "x" * 33 * MIB + '"'), Oversized, "more than 32 MiB", "get_results"
    )
    yield Reply("results of 31 MiB", results('"' + "x" * 31 * MIB + '"'), None, call="get_results")
    bomb = gzip.compress(b"\x00" * 50_000_000)
    for encoding in ("gzip", "br", "zstd", "deflate", "gzip, gzip", "x-unknown"):
        yield Reply(
            f"in {encoding}",
            bomb,
            Malformed,
            f"in encoding {encoding}",
            headers={"Content-Encoding": encoding},
        )
    yield Reply(
        "an error in gzip", bomb, Ambiguous, "answered 500", code=500, headers={"Content-Encoding": "gzip"}
    )
    yield Reply("an error of 10 MB", b"x" * 10_000_000, Rejected, "answered 400: xxx", code=400)


def _odd_results() -> Iterator[Reply]:
    bodies = {
        "of another job": b'{"job": "eval-2", "tasks": {}}',
        "of a number": b'{"job": 1, "tasks": {}}',
        "of no job": b'{"tasks": {}}',
        "as a list": b"[]",
        "tasks as a list": b'{"job": "eval-1", "tasks": []}',
        "tasks as text": b'{"job": "eval-1", "tasks": "none"}',
        "groups as a number": b'{"job": "eval-1", "groups": 7}',
    }
    for name, body in bodies.items():
        yield Reply(f"results {name}", body, Malformed, "/results answered 200, but ", "get_results")
    for text in (
        "null",
        "7",
        "[]",
        '{"metrics": {"m": {"scores": {"s": {"value": NaN}}}}}',
        '{"\\ud800": "\\udfff"}',
    ):
        yield Reply(f"results with {text[:30]}", results(text), None, call="get_results")


def _odd_configs() -> Iterator[Reply]:
    for name, body in {
        "no name": b'{"namespace": "a"}',
        "a name that is a number": b'{"name": 7}',
        "a name without end": json.dumps({"name": "x" * 10_000}).encode(),
        "custom_fields as text": b'{"name": "qa", "custom_fields": "none"}',
        "an id that is an object": b'{"name": "qa", "id": {}}',
    }.items():
        yield Reply(f"a config with {name}", body, Malformed, "answered 200, but ", "get_config")


def _odd_lists() -> Iterator[Reply]:
    for name, body in {
        "no data": b"{}",
        "data null": b'{"data": null}',
        "data as an object": b'{"data": {"id": "eval-1"}}',
        "a bare text": b'"none"',
        "a count of pages that is none": b'{"data": [], "pagination": {"total_pages": "many"}}',
        "pagination as a list": b'{"data": [], "pagination": []}',
    }.items():
        yield Reply(f"a list with {name}", body, Malformed, "answered 200, but ", "list_jobs")
    spoiled = b'{"data": [null, 7, "x", [], {}, {"id": null}, {"id": ""}, {"id": "%s"}]}' % (b"x" * 600)
    yield Reply("a list of what are no jobs", spoiled, None, call="list_jobs")


def _refusals() -> Iterator[Reply]:
    kinds: dict[int, type[EvaluatorError]] = {
        **dict.fromkeys((100, 102, 199), Ambiguous),
        **dict.fromkeys((300, 301, 302, 303, 304, 305, 307, 308, 399), Unavailable),
        **dict.fromkeys(
            (400, 402, 406, 407, 410, 411, 413, 414, 415, 416, 418, 421, 422, 423, 424), Rejected
        ),
        **dict.fromkeys((425, 426, 428, 431, 451, 499), Rejected),
        **dict.fromkeys((401, 403), Unauthorized),
        404: Missing,
        405: Unsupported,
        408: Ambiguous,
        409: Conflicting,
        429: Unavailable,
        501: Unsupported,
        **dict.fromkeys(
            (500, 502, 503, 504, 505, 507, 508, 510, 511, 520, 521, 522, 525, 530, 599), Ambiguous
        ),
        **dict.fromkeys((600, 999), Ambiguous),
    }
    elsewhere = {"Location": "http://elsewhere.test/v1/evaluation/jobs"}
    for code, error in kinds.items():
        yield Reply(
            f"code {code}", b'{"detail": "no"}', error, f"answered {code}: no", code=code, headers=elsewhere
        )
    for code in (204, 205):
        yield Reply(f"code {code} without a job", b"", Malformed, f"answered {code}, but body", code=code)
    yield Reply("code 206 with a part", job()[:20], Malformed, "answered 206, but body", code=206)
    yield Reply("a gateway's 404", b"default backend - 404", Unavailable, "default backend", code=404)
    for detail in (
        "null",
        "7",
        "[]",
        "{}",
        "[[]]",
        '[{"loc": 7, "msg": []}]',
        '"' + "x" * 100_000 + '"',
        "[" * 300,
    ):
        body = b'{"detail": %s}' % detail.encode()
        yield Reply(f"detail {detail[:20]}", body, Rejected, "answered 422: ", code=422)
    yield Reply("a screen full of codes", b"\x1b[2J\x1b]0;title\x07\r\nowned", Ambiguous, "owned", code=500)
    yield Reply(
        "text from right to left", '{"detail": "\u202egnp.exe"}'.encode(), Rejected, "gnp.exe", code=400
    )


def _retry_after() -> Iterator[Reply]:
    for wish in ("-1", "1e9", "inf", "NaN", "9" * 400, "Wed, 21 Oct 2099 07:28:00 GMT", ""):
        yield Reply(
            f"Retry-After {wish[:12]}", b"", Unavailable, "429", code=429, headers={"Retry-After": wish}
        )


REPLIES: tuple[Reply, ...] = (
    *_no_json(),
    *_no_job(),
    *_odd_jobs(),
    *_too_much(),
    *_odd_results(),
    *_odd_configs(),
    *_odd_lists(),
    *_refusals(),
    *_retry_after(),
)
