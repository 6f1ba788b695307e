"""Judgements of relevance by query, read from datasets of BEIR, SQuAD and RAGAS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Annotated, Final, Protocol, TypeVar

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from nemo_local_evaluator.datasets import DatasetReader, DatasetSource, Row, Rows
from nemo_local_evaluator.metrics.ranking import GradedDocuments, Passages, TextKey, text_key
from nemo_local_evaluator.wire.errors import EvaluationError, SampleFailed
from nemo_local_evaluator.wire.problems import first_problem

__all__ = ["GroundTruths", "Judgements", "read_beir", "read_ragas", "read_squad"]

R = TypeVar("R", bound="_Record")

_ROWS_AT_ONCE: Final = 100
"""A row may be a whole article, and the event loop waits for so many of them."""

Grade = Annotated[int, Field(ge=-10, le=1_000)]
"""trec_eval counts the documents of each grade up to the highest: a large one takes memory."""


class Judgements(Protocol):
    def of(self, row: Row) -> GradedDocuments | Passages | None:
        """None where there are no judgements for the row's query."""


class _Record(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)


class _Asked(_Record):
    """A row as far as it says which query it is about."""

    id: str | None = Field(default=None, validation_alias=AliasChoices("query_id", "query-id", "_id", "id"))
    text: str | None = Field(default=None, validation_alias=AliasChoices("query", "question", "user_input"))


class JudgedQueries:
    """Judgements by the query's id, and by its text."""

    def __init__(self, *, keys_of_documents: Mapping[str, TextKey]) -> None:
        self._keys_of_documents = keys_of_documents
        self._grades: dict[str, dict[str, int]] = {}

    def add(self, query: str, grades: Mapping[str, int]) -> None:
        """`query` is an id or a text's key."""
        self._grades.setdefault(query, {}).update(grades)

    def of(self, row: Row) -> GradedDocuments | None:
        asked = _retrieved(_Asked, row)
        grades = self._grades.get(asked.id or "")
        if grades is None and asked.text is not None:
            grades = self._grades.get(text_key(asked.text))
        if grades is None:
            return None
        keys = self._keys_of_documents
        return GradedDocuments(grades=grades, ids={keys[one]: one for one in grades if one in keys})


class _Qrel(_Record):
    query: str = Field(validation_alias="query-id")
    document: str = Field(validation_alias="corpus-id")
    score: Grade


class _BeirText(_Record):
    """A line of queries.jsonl or corpus.jsonl."""

    id: str = Field(validation_alias="_id")
    text: str


async def read_beir(source: DatasetSource, datasets: DatasetReader) -> JudgedQueries:
    directory = await datasets.directory(source)
    qrels = f"qrels/{source.split or 'test'}.tsv"
    grades: dict[str, dict[str, int]] = {}
    async for qrel in _records(_Qrel, await directory.open(qrels), qrels):
        grades.setdefault(qrel.query, {})[qrel.document] = qrel.score
    # Of queries and corpus only what was judged is kept: a corpus may have millions of documents.
    judged = {document for of_query in grades.values() for document in of_query}
    keys = {
        document.id: text_key(document.text)
        async for document in _records(_BeirText, await directory.open("corpus.jsonl"), "corpus.jsonl")
        if document.id in judged
    }
    queries = JudgedQueries(keys_of_documents=keys)
    for query_id, of_query in grades.items():
        queries.add(query_id, of_query)
    async for query in _records(_BeirText, await directory.open("queries.jsonl"), "queries.jsonl"):
        if query.id in grades:
            queries.add(text_key(query.text), grades[query.id])
    return queries


class _Question(_Record):
    id: str
    question: str


class _Paragraph(_Record):
    context: str
    qas: list[_Question]


class _Article(_Record):
    """An article of SQuAD's original files, or a row of Hugging Face's copies with one question of it."""

    paragraphs: list[_Paragraph]

    @model_validator(mode="before")
    @classmethod
    def _one_question(cls, value: object) -> object:
        if isinstance(value, Mapping) and "context" in value:
            return {"paragraphs": [{"context": value["context"], "qas": [value]}]}
        return value


async def read_squad(source: DatasetSource, datasets: DatasetReader) -> JudgedQueries:
    # A paragraph has no id: its text's key serves as one.
    keys: dict[str, TextKey] = {}
    queries = JudgedQueries(keys_of_documents=keys)
    async for article in _records(_Article, await datasets.open(source, limit=None), source.files_url):
        for paragraph in article.paragraphs:
            key = text_key(paragraph.context)
            keys[key] = key
            for question in paragraph.qas:
                queries.add(question.id, {key: 1})
                queries.add(text_key(question.question), {key: 1})
    return queries


class _Answered(_Record):
    texts: list[str] | None = Field(
        default=None,
        validation_alias=AliasChoices("ground_truths", "reference_contexts", "ground_truth", "reference"),
    )

    @field_validator("texts", mode="before")
    @classmethod
    def _one(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value


class GroundTruths:
    """Each row is judged by its own."""

    def of(self, row: Row) -> Passages | None:
        texts = _retrieved(_Answered, row).texts
        return Passages(texts=texts) if texts else None


class GroundTruthsByQuestion:
    def __init__(self, passages: Mapping[TextKey, Passages]) -> None:
        self._passages = passages

    def of(self, row: Row) -> Passages | None:
        question = _retrieved(_Asked, row).text
        return None if question is None else self._passages.get(text_key(question))


class _RagasRow(_Asked, _Answered):
    pass


async def read_ragas(source: DatasetSource, datasets: DatasetReader) -> GroundTruthsByQuestion:
    passages = {}
    async for row in _records(_RagasRow, await datasets.open(source, limit=None), source.files_url):
        if row.text is not None and row.texts:
            passages[text_key(row.text)] = Passages(texts=row.texts)
    return GroundTruthsByQuestion(passages)


async def _records(kind: type[R], rows: Rows, name: str) -> AsyncIterator[R]:
    number = 0
    with rows:
        async with aclosing(rows.batches(_ROWS_AT_ONCE)) as batches:
            async for batch in batches:
                for row in batch:
                    number += 1
                    try:
                        yield kind.model_validate(row)
                    except ValidationError as error:
                        problem = first_problem(error)
                        raise EvaluationError(f"dataset {name!r}, row {number}: {problem}") from error


def _retrieved(kind: type[R], row: Row) -> R:
    try:
        return kind.model_validate(row)
    except ValidationError as error:
        raise SampleFailed(first_problem(error)) from error
