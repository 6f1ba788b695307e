"""One answer of the evaluator: read within bounds, classified by its status code, its text masked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import httpx
from pydantic import JsonValue, ValidationError
from pydantic_core import from_json

from nemo_eval_operator.evaluator.model import (
    MAX_TEXT_CHARACTERS,
    Ambiguous,
    Conflicting,
    EvaluatorError,
    Malformed,
    Missing,
    Oversized,
    Redactor,
    Rejected,
    Unauthorized,
    Unavailable,
    Unsupported,
)
from nemo_eval_operator.json_types import JsonObject

from .bodies import Bounds, Parse, TooLarge, Unreadable, parsed, read_body

__all__ = ["Answer"]

MAX_REFUSAL_BYTES: Final = 64 * 1024
"""Read of an error's body; 1,000 characters of it are shown."""

MAX_REFUSAL_PARTS: Final = 10_000
"""Parts of an error's body that is read as JSON; a longer one is shown as text."""

MAX_RETRY_AFTER_SECONDS: Final = 300.0
"""A server may wish for patience, but not for the rest of the day."""

MAX_EXCERPT_CHARACTERS: Final = 200
"""Characters that are shown of a body that is not NeMo's, such as a gateway's page."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose body has been read. `request` is method and path, as it is named in errors."""

    request: str
    code: int
    headers: httpx.Headers
    content: bytes
    known: Redactor
    max_parts: int

    @classmethod
    async def read(cls, response: httpx.Response, *, request: str, bounds: Bounds, known: Redactor) -> Self:
        """Read a streamed response. Raises Oversized, and the error that a refusal stands for."""
        code, headers = response.status_code, response.headers
        encoding = headers.get("Content-Encoding", "identity").lower()
        if encoding != "identity" and response.is_success:
            raise Malformed(f"{request} answered {code} in encoding {encoding}, which was not asked for")
        if not response.is_success:
            content = (
                b"" if encoding != "identity" else await read_body(response, MAX_REFUSAL_BYTES, cut=True)
            )
            answer = cls(request, code, headers, content, known, MAX_REFUSAL_PARTS)
            raise answer.refusal(response.reason_phrase)
        try:
            content = await read_body(response, bounds.size)
        except TooLarge as error:
            size = f"{bounds.size // 1024**2} MiB"
            raise Oversized(f"{request} answered {code} with more than {size}", status_code=code) from error
        return cls(request, code, headers, content, known, bounds.parts)

    def document(self, parse: Parse = from_json) -> JsonObject:
        """The JSON object that the API promises. Raises Malformed."""
        try:
            document = parsed(self.content, self.max_parts, parse)
        except TooLarge as error:
            raise Oversized(
                f"{self.request} answered {self.code} with {error}", status_code=self.code
            ) from error
        except Unreadable as error:
            raise self.malformed(f"body: {error}") from error
        if not isinstance(document, dict):
            raise self.malformed("body: it is no JSON object")
        return document

    def malformed(self, problem: ValidationError | str) -> Malformed:
        """Return the error for a 2xx answer with an unexpected body; only paths of values are shown."""
        if isinstance(problem, ValidationError):
            first = problem.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "body"
            problem = f"{where}: {first['msg']}"
        said = self.known.hide(problem)
        return Malformed(f"{self.request} answered {self.code}, but {said}", status_code=self.code)

    def refusal(self, reason_phrase: str) -> EvaluatorError:
        """Return the error class that a status code other than 2xx maps to, with the evaluator's own message.

        This is the one place that maps codes to classes. What a class means for the operation that failed is
        decided in `lifecycle/evaluator_errors/table.py`.
        """
        code = self.code
        detail = f"{self.request} answered {code}: {self._detail() or reason_phrase}"
        match code:
            case 401 | 403:
                return Unauthorized(detail, status_code=code)
            case 404 if self._speaks_nemo():
                return Missing(detail, status_code=code)
            case 404:
                return Unavailable(detail, status_code=code)
            case 405 | 501:
                return Unsupported(detail, status_code=code)
            case 408:
                return Ambiguous(detail, status_code=code)
            case 409:
                return Conflicting(detail, status_code=code)
            case 429:
                return Unavailable(detail, status_code=code, retry_after=self._retry_after())
            case _ if httpx.codes.is_redirect(code):
                return Unavailable(f"{detail} (redirects are not followed)", status_code=code)
            case _ if httpx.codes.is_client_error(code):
                return Rejected(detail, status_code=code)
            case _:
                return Ambiguous(detail, status_code=code)

    def _speaks_nemo(self) -> bool:
        """Return whether a 404 is the evaluator's own; an ingress without a backend answers 404 too."""
        try:
            body = parsed(self.content, self.max_parts)
        except (Unreadable, TooLarge):
            return False
        return isinstance(body, dict) and "detail" in body

    def _detail(self) -> str:
        """NeMo's own words: FastAPI's `detail`, text or field errors; else the body's beginning."""
        try:
            body = parsed(self.content, self.max_parts)
        except (Unreadable, TooLarge):
            body = None
        match body:
            case {"detail": str(text)}:
                return self.known.hide(text[:MAX_TEXT_CHARACTERS])
            case {"detail": [*problems]}:
                said = "; ".join(_field_error(problem) for problem in problems)
                return self.known.hide(said[:MAX_TEXT_CHARACTERS])
            case _:
                text = self.content.decode(errors="replace")[:MAX_TEXT_CHARACTERS]
                return " ".join(self.known.hide(text).split())[:MAX_EXCERPT_CHARACTERS]

    def _retry_after(self) -> float | None:
        """Return the seconds of a Retry-After header; its date form is rare here and is ignored."""
        value = self.headers.get("Retry-After", "")
        return min(float(value), MAX_RETRY_AFTER_SECONDS) if value.isascii() and value.isdigit() else None


def _field_error(problem: JsonValue) -> str:
    match problem:
        case {"loc": [*location], "msg": str(message)}:
            path = ".".join(str(part) for part in location if part != "body")
            return f"{path}: {message}" if path else message
        case _:
            return str(problem)
