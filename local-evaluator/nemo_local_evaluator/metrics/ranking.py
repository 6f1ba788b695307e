"""Rankings of documents against judgements of relevance, measured by trec_eval's own code (pytrec_eval).

A row has the ranking, the sample has the judgements of its query. Documents are distinguished by id,
as in BEIR, or by their text, as in SQuAD and RAGAS.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NewType

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    field_validator,
    model_validator,
)

from nemo_local_evaluator.templating import Context, TemplateEnvironment
from nemo_local_evaluator.wire.errors import EvaluationError, SampleFailed
from nemo_local_evaluator.wire.problems import first_problem

from .base import Scored

if TYPE_CHECKING:
    from pytrec_eval import RelevanceEvaluator

__all__ = ["GradedDocuments", "Passages", "Ranking", "TextKey", "is_measure", "text_key"]

_MEASURE: Final = re.compile(r"(recall|ndcg_cut)_[1-9]\d{0,3}")

TextKey = NewType("TextKey", str)
"""A text in few bytes: the same for texts that differ in case and white space only."""


def text_key(text: str) -> TextKey:
    return TextKey(hashlib.blake2b(_normal(text).encode(errors="replace"), digest_size=16).hexdigest())


def is_measure(name: str) -> bool:
    return _MEASURE.fullmatch(name) is not None


@dataclass(frozen=True, kw_only=True)
class GradedDocuments:
    """Relevance judgements of one query, TREC's qrels."""

    grades: Mapping[str, int]
    """Grades by document id; 0 or less means not relevant."""
    ids: Mapping[TextKey, str] = field(default_factory=dict)
    """Ids of judged documents by their texts, for rankings that give no ids."""


@dataclass(frozen=True, kw_only=True)
class Passages:
    """Texts to be found in the documents: relevant is a document that has one of them."""

    texts: Sequence[str]


class Document(BaseModel):
    """One place of a ranking. A bare string is an id or the text itself."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: str | None = Field(default=None, validation_alias=AliasChoices("_id", "id", "doc_id", "document_id"))
    text: str | None = Field(default=None, validation_alias=AliasChoices("text", "page_content", "content"))
    score: FiniteFloat | None = None

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: object) -> object:
        return {"id": value, "text": value} if isinstance(value, str) else value


class RankedRow(BaseModel):
    """A row as far as it says what was retrieved: best first, or by score where every document has one."""

    documents: list[Document] = Field(
        validation_alias=AliasChoices("retrieved_docs", "contexts", "retrieved_contexts")
    )

    @field_validator("documents", mode="before")
    @classmethod
    def _scores_by_id(cls, value: object) -> object:
        if isinstance(value, Mapping):
            return [{"id": document, "score": score} for document, score in value.items()]
        return value


class RankingParams(BaseModel):
    model_config = ConfigDict(extra="forbid")

    measures: list[str] = Field(min_length=1)


class Ranking:
    """All measures of a ranking at once."""

    def __init__(self, params: Mapping[str, Any], _environment: TemplateEnvironment) -> None:
        self._measures = RankingParams.model_validate(params).measures
        self._evaluator = _evaluator()

    def score(self, context: Context) -> Scored:
        judgement = context["sample"].get("judgement")
        try:
            documents = RankedRow.model_validate(context["item"]).documents
            names, grades = compare(documents, judgement) if judgement else ([], {})
            if not grades:
                raise SampleFailed("there are no judgements for the row's query")
            evaluator = self._evaluator({"query": grades}, self._measures)
            return Scored(evaluator.evaluate({"query": _run(documents, names)})["query"])
        except ValidationError as error:
            raise SampleFailed(first_problem(error)) from error
        except UnicodeEncodeError as error:
            raise SampleFailed("the id of a document has half a surrogate pair, which is not text") from error


def _evaluator() -> type[RelevanceEvaluator]:
    """Return the class that computes the measures. Raise EvaluationError if it is not installed."""
    try:
        # It brings numpy, which most jobs have no need for.
        from pytrec_eval import RelevanceEvaluator  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise EvaluationError(
            "pytrec_eval is missing, which has no wheel for this machine: pip install pytrec-eval-terrier"
        ) from error
    return RelevanceEvaluator


def compare(
    documents: Sequence[Document], judgement: GradedDocuments | Passages
) -> tuple[list[str], dict[str, int]]:
    """A name for each document of the ranking, and the grades of all relevant names, retrieved or not."""
    match judgement:
        case GradedDocuments():
            names = [_judged_id(document, judgement) for document in documents]
            # What is neither judged nor named is a document by itself, and of no relevance.
            return [name or f"unnamed {rank}" for rank, name in enumerate(names)], dict(judgement.grades)
        case Passages():
            return _having(documents, judgement)


def _judged_id(document: Document, judgement: GradedDocuments) -> str | None:
    if document.id in judgement.grades or document.text is None:
        return document.id
    return judgement.ids.get(text_key(document.text), document.id)


def _having(documents: Sequence[Document], wanted: Passages) -> tuple[list[str], dict[str, int]]:
    passages = {normal for text in wanted.texts if (normal := _normal(text))}
    names = [_normal(document.text or "") for document in documents]
    grades = {name: 1 for name in names if any(passage in name for passage in passages)}
    missed = {passage for passage in passages if not any(passage in name for name in names)}
    return names, grades | dict.fromkeys(missed, 1)


def _run(documents: Sequence[Document], names: Sequence[str]) -> dict[str, float]:
    """Scores by name; a document that was retrieved twice, in parts, stands where it stood first."""
    scores = [document.score for document in documents if document.score is not None]
    if len(scores) < len(documents):
        scores = [float(-rank) for rank in range(len(documents))]
    run: dict[str, float] = {}
    for name, score in zip(names, scores, strict=True):
        run[name] = max(score, run.get(name, score))
    return run


def _normal(text: str) -> str:
    return " ".join(text.split()).casefold()
