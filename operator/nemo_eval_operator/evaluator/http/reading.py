"""Answers read as wire models; a job or config that does not match is Malformed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

import httpx
from pydantic import ValidationError
from pydantic_core import from_json

from nemo_eval_operator.evaluator.model import (
    JobPage,
    JobState,
    Oversized,
    RemoteConfig,
    RemoteJob,
    Results,
    parse_page,
)
from nemo_eval_operator.json_types import JsonObject

from .answers import Answer
from .bodies import Parse
from .boundary import only_evaluator_errors
from .paths import JOBS

__all__ = ["ListedJob", "Page", "page_of", "read_form", "results_in"]

MAX_PAGE_JOBS: Final = 20_000
"""On one page, whatever was asked for: a server that knows no pages answers with all it has."""

Form = TypeVar("Form")


def read_form(form: Callable[[JsonObject], Form], answer: Answer, parse: Parse = from_json) -> Form:
    """Raises Malformed, also where a number or time in it is beyond what can be computed with.

    And where an id holds a credential: ids are shown as they are.
    """
    with only_evaluator_errors(answer.request):
        return formed(form, answer, answer.document(parse))


def formed(form: Callable[[JsonObject], Form], answer: Answer, document: JsonObject) -> Form:
    """As `read_form`, of a part of the document."""
    with only_evaluator_errors(answer.request):
        try:
            read = form(document)
        except ValidationError as error:
            raise answer.malformed(error) from error
        except (ArithmeticError, ValueError) as error:
            raise answer.malformed(f"it cannot be read: {error}") from error
        _refuse_credentials(answer, ids_in(read))
        return read


def ids_in(read: object) -> Sequence[str]:
    match read:
        case RemoteJob(id=identifier) | RemoteConfig(id=str(identifier)):
            return (identifier,)
        case _:
            return ()


def _refuse_credentials(answer: Answer, ids: Sequence[str]) -> None:
    """Raise Malformed where an id holds a credential; one search is enough, as no id has a line break."""
    if answer.known.is_in_id("\n".join(ids)):
        raise answer.malformed("id: it contains a credential")


class ListedJob(NamedTuple):
    """A job on a list. Its state is known; the rest of its document is read only where it is needed.

    An idle operator lists thousands of jobs whose states have not changed.
    """

    id: str
    state: JobState
    document: JsonObject
    answer: Answer

    def read(self) -> RemoteJob:
        """Raises Malformed."""
        return formed(RemoteJob.model_validate, self.answer, self.document)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list; `unusable` are the marks of jobs without a usable id."""

    jobs: Sequence[ListedJob]
    unusable: Sequence[dict[str, str]]
    total_pages: int | None


def page_of(answer: Answer) -> Page:
    """Return the page of jobs that the answer is. Raises Malformed, Oversized."""
    with only_evaluator_errors(answer.request):
        page = formed(JobPage.of, answer, read_form(of_bounded_length, answer, parse_page))
        jobs = [ListedJob(str(one["id"]), JobState.of(one), one, answer) for one in page.data]
        _refuse_credentials(answer, [job.id for job in jobs])
    return Page(jobs, page.unusable, page.pagination.total_pages if page.pagination else None)


def of_bounded_length(document: JsonObject) -> JsonObject:
    jobs = document.get("data")
    if isinstance(jobs, list) and len(jobs) > MAX_PAGE_JOBS:
        raise Oversized(f"GET {JOBS}: {len(jobs):,} jobs on one page", status_code=httpx.codes.OK)
    return document


def results_in(answer: Answer, job_id: str) -> Results:
    """Return the results that the answer has. Raises Malformed, also where they are another job's."""
    results = read_form(Results.of, answer)
    if results.job != job_id:
        raise answer.malformed(f"job: these are the results of {results.job}")
    return results
