"""Credentials do not come back to people, in whatever form a server echoes them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from nemo_eval_operator.evaluator.model import EvaluatorError, KnownSecrets, RemoteJob, readable
from tests.unit.evaluator.scripted import answering, answering_raw

CANARY = "can/ary+5f1c9 ü?"
PRIVATE_KEY = (
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG\n9w0BAQEFAASCBKcwggSj\n-----END PRIVATE KEY-----\n"
)

ECHOES: dict[str, Callable[[str], str]] = {
    "as it is": lambda value: value,
    "in a sentence": lambda value: f"key '{value}' is wrong",
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 of user and password": lambda value: base64.b64encode(f"me:{value}".encode()).decode(),
    "base64 within more": lambda value: base64.b64encode(f"a{value}!?".encode()).decode(),
    "base64 for URLs": lambda value: base64.urlsafe_b64encode(f"ab{value}".encode()).decode(),
    "URL-encoded": lambda value: quote(value, safe=""),
    "URL-encoded path": quote,
    "URL-encoded form": quote_plus,
    "URL-encoded in small letters": lambda value: re.sub(
        "%..", lambda found: found[0].lower(), quote(value, safe="")
    ),
    "JSON in ASCII": json.dumps,
    "JSON": lambda value: json.dumps(value, ensure_ascii=False),
    "hex": lambda value: value.encode().hex(),
}


def hide(text: str, *values: str) -> str:
    """`text` as it is shown for the object that has these values."""
    known = KnownSecrets()
    known.keep("qa", "team-a", read=values)
    return known.of("qa").hide(text)


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
def test_a_known_value_is_hidden_in_every_form(echo: Callable[[str], str]) -> None:
    said = f"before {echo(CANARY)} after"
    shown = hide(said, CANARY)
    assert "******" in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    # What is left over in base64 are the neighbours' characters, at most four at each end.
    assert len(shown) <= len("before  after") + len("key '' is wrong") + len("******") + 8


@pytest.mark.parametrize("value", ["", "a", "token", "     \n"])
def test_a_short_word_is_no_secret(value: str) -> None:
    text = f"the token {value} of a job"
    assert hide(text, value) == text


def test_every_line_of_a_private_key_is_one() -> None:
    assert hide(" ".join(PRIVATE_KEY.split("\n")), PRIVATE_KEY) == "******"
    assert "MIIE" not in hide("line 2: MIIEvQIBADANBgkqhkiG", PRIVATE_KEY)


def test_a_value_within_another_does_not_leave_the_rest() -> None:
    assert hide("x canary-and-more y", "canary", "canary-and-more") == "x ****** y"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\nlines\tand\x00nothing", "two lines and nothing"),
        ("\x1b[2J\x1b[31mred", " [2J [31mred"),
        ("right\u202eto left\u2066", "right to left "),
        ("é 你好 😀", "é 你好 😀"),
    ],
)
def test_what_moves_a_cursor_is_not_shown(text: str, shown: str) -> None:
    assert readable(text, 100) == shown


@pytest.mark.parametrize("filler", [900, 985, 995, 1_000, 20_000])
async def test_a_cut_leaves_no_half_of_a_secret(filler: int) -> None:
    evaluator = answering(400, {"detail": "x" * filler + "plain-canary-value"})
    evaluator.known.use(["plain-canary-value"])
    with pytest.raises(EvaluatorError) as caught:
        await evaluator.client.get_job("eval-1")
    assert "plain" not in str(caught.value)
    message = {"message": "x" * filler + "plain-canary-value"}
    job = RemoteJob.model_validate({"id": "eval-1", "status": "failed", "status_details": message})
    assert "plain" not in (job.hiding(evaluator.known.of(None)).readable_message or "")


@pytest.mark.parametrize(
    "body",
    [
        b'{"detail": "no such key plain-canary-value"}',
        b'{"detail": [{"loc": ["body", "plain-canary-value"], "msg": "plain-canary-value"}]}',
        b'{"detail": ["plain-canary-value"]}',
        b'{"error": "cGxhaW4tY2FuYXJ5LXZhbHVl"}',
        b"<html>plain-canary-value</html>",
        b"plain-canary-value" * 5_000,
        b'{"detail": "plain\\u002dcanary\\u002dvalue"}',
    ],
)
@pytest.mark.parametrize("code", [200, 302, 400, 401, 404, 409, 422, 429, 500, 503])
async def test_no_error_shows_what_a_server_echoes(code: int, body: bytes) -> None:
    evaluator = answering_raw(body, code)
    evaluator.known.use(["plain-canary-value"])
    with pytest.raises(EvaluatorError) as caught:
        await evaluator.client.create_job({"config": "a/b"})
    for secret in ("canary", "cGxhaW4tY2FuYXJ5LXZhbHVl", "Y2FuYXJ5"):
        assert secret not in str(caught.value)
        assert secret not in caught.value.detail
