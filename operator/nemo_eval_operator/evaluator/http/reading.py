"""Answers read as wire models; a job or config that does not match is Malformed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

import httpx
from pydantic import ValidationError

from nemo_eval_operator.evaluator.model import (
    JobPage,
    Oversized,
    RemoteConfig,
    RemoteJob,
    Results,
)
from nemo_eval_operator.json_types import JsonObject

from .answers import Answer
from .boundary import only_evaluator_errors
from .paths import JOBS

__all__ = ["page_of", "read_form", "results_in"]

MAX_PAGE_JOBS: Final = 20_000
"""On one page, whatever was asked for: a server that knows no pages answers with all it has."""

SLICE_JOBS: Final = 500
"""Of a page that are validated before others run: about 10 ms."""


Form = TypeVar("Form")


def read_form(form: Callable[[JsonObject], Form], answer: Answer) -> Form:
    """Raises Malformed, also where a number or time in it is beyond what can be computed with.

    And where an id holds a credential: ids are shown as they are.
    """
    with only_evaluator_errors(answer.request):
        return formed(form, answer, answer.document())


def formed(form: Callable[[JsonObject], Form], answer: Answer, document: JsonObject) -> Form:
    """As `read_form`, of a part of the document."""
    with only_evaluator_errors(answer.request):
        try:
            read = form(document)
        except ValidationError as error:
            raise answer.malformed(error) from error
        except (ArithmeticError, ValueError) as error:
            raise answer.malformed(f"it cannot be read: {error}") from error
        if any(map(answer.known.is_in_id, ids_in(read))):
            raise answer.malformed("id: it contains a credential")
        return read


def ids_in(read: object) -> Iterator[str]:
    match read:
        case RemoteJob(id=identifier) | RemoteConfig(id=str(identifier)):
            yield identifier
        case JobPage(data=jobs):
            yield from (job.id for job in jobs)
        case _:
            return


async def page_of(answer: Answer) -> JobPage:
    """The page of jobs that the answer is, read in slices, so that others run in between."""
    document = read_form(of_bounded_length, answer)
    jobs = document.get("data")
    if not isinstance(jobs, list):
        return formed(JobPage.of, answer, document)
    page = formed(JobPage.of, answer, {**document, "data": []})
    for start in range(0, len(jobs), SLICE_JOBS):
        part = formed(JobPage.of, answer, {"data": jobs[start : start + SLICE_JOBS]})
        page.data.extend(part.data)
        page.unusable.extend(part.unusable)
        await asyncio.sleep(0)
    return page


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
