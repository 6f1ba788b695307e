"""Redaction of a run's messages and samples: a model or a judge may repeat the key it was called with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from nemo_local_evaluator.evaluations import Evaluation, Observer, Outcome, Progress
from nemo_local_evaluator.wire.errors import EvaluationError
from nemo_local_evaluator.wire.masking import MASK

__all__ = ["run_redacted"]

SHORTEST: Final = 6
"""Characters; a shorter secret would take ordinary words out of ordinary text, and guards nothing."""


async def run_redacted(evaluation: Evaluation, observer: Observer, *, secrets: Iterable[str]) -> Outcome:
    """Raises EvaluationError, without secrets."""
    redact = _Redaction(secrets)
    try:
        outcome = await evaluation.run(_RedactingObserver(observer, redact))
    except EvaluationError as error:
        # From nothing: the cause would carry the secret into the log.
        raise type(error)(redact.text(str(error))) from None
    return replace(
        outcome,
        tasks=redact.document(outcome.tasks),
        groups=redact.document(outcome.groups),
        message=redact.text(outcome.message),
    )


class _Redaction:
    def __init__(self, secrets: Iterable[str]) -> None:
        # The longest first: one may be a part of another.
        found = {secret.strip() for secret in secrets}
        self._secrets = sorted((one for one in found if len(one) >= SHORTEST), key=len, reverse=True)

    def text(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def document(self, document: Any) -> Any:
        if not self._secrets:
            return document
        if isinstance(document, str):
            return self.text(document)
        if isinstance(document, Mapping):
            return {self.text(key): self.document(value) for key, value in document.items()}
        if isinstance(document, list | tuple):
            return [self.document(item) for item in document]
        return document


class _RedactingObserver:
    def __init__(self, observer: Observer, redact: _Redaction) -> None:
        self._observer = observer
        self._redact = redact

    def progress(self, progress: Progress) -> None:
        self._observer.progress(progress)

    def log(self, message: str) -> None:
        self._observer.log(self._redact.text(message))

    def sample(self, task: str, document: Mapping[str, Any]) -> None:
        self._observer.sample(task, self._redact.document(document))
