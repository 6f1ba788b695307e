"""Settings in a model's own `prompt`: system prompt, sampling defaults, end of the reasoning.

Applied by the model client to every call, of a task or of a judge, after the template has been rendered. The
text is used as it is written: nothing in it is run as a template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from nemo_local_evaluator.wire.errors import EvaluationError, Unsupported
from nemo_local_evaluator.wire.schemas import Document, InferenceParams, PromptData, ReasoningParams

__all__ = ["ModelPrompt", "model_prompt"]

_PLACEHOLDER: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_PARTS: Final = ("system_prompt", "icl_few_shot_examples")


@dataclass(frozen=True, kw_only=True)
class ModelPrompt:
    system: str | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Request fields for which neither the config nor the template gives a value."""
    end_of_reasoning: str | None = None
    keep_unfinished: bool = True
    """Whether an answer in which the end of the reasoning is missing counts as it is, or as empty."""

    def applied_to(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the body of a call with the model's defaults and system prompt."""
        prepared = {**self.defaults, **body}
        if self.system is None:
            return prepared
        if isinstance(messages := prepared.get("messages"), list):
            prepared["messages"] = _with_system(self.system, messages)
        elif isinstance(prompt := prepared.get("prompt"), str):
            prepared["prompt"] = f"{self.system}\n\n{prompt}"
        return prepared

    def answer_in(self, text: str) -> str:
        """Return what follows the reasoning."""
        if not self.end_of_reasoning:
            return text
        _, found, answer = text.rpartition(self.end_of_reasoning)
        if found:
            return answer.strip()
        return text if self.keep_unfinished else ""


def model_prompt(prompt: PromptData, *, owner: str) -> ModelPrompt:
    """Raises EvaluationError. `owner` is what the model belongs to, for messages."""
    _refuse_unknown(prompt, f"{owner}: model.prompt")
    inference = prompt.inference_params or InferenceParams()
    _refuse_unknown(inference, f"{owner}: model.prompt.inference_params")
    reasoning = prompt.reasoning_params or ReasoningParams()
    _refuse_unknown(reasoning, f"{owner}: model.prompt.reasoning_params")
    if reasoning.include_if_not_finished is not None and not reasoning.end_token:
        raise EvaluationError(
            f"{owner}: model.prompt.reasoning_params.include_if_not_finished needs end_token, "
            "which says where the reasoning ends"
        )
    defaults = inference.model_dump(mode="json", exclude_none=True)
    if reasoning.effort is not None:
        defaults["reasoning_effort"] = reasoning.effort
    return ModelPrompt(
        system=_system(prompt, owner),
        defaults=defaults,
        end_of_reasoning=reasoning.end_token or None,
        keep_unfinished=reasoning.include_if_not_finished is not False,
    )


def _system(prompt: PromptData, owner: str) -> str | None:
    given = {name: text for name in _PARTS if (text := getattr(prompt, name)) is not None}
    template = prompt.system_prompt_template
    if template is None:
        return "\n\n".join(given.values()) or None
    named = set(_PLACEHOLDER.findall(template))
    if unknown := sorted(named - set(_PARTS)):
        raise EvaluationError(
            f"{owner}: model.prompt.system_prompt_template names {unknown[0]!r}; "
            f"it may name {' and '.join(_PARTS)}"
        )
    if unused := [name for name in given if name not in named]:
        raise EvaluationError(
            f"{owner}: model.prompt.{unused[0]} has no place in system_prompt_template: "
            f"add {{{{{unused[0]}}}}} to the template, or leave one of them out"
        )
    return _PLACEHOLDER.sub(lambda found: given.get(found[1], ""), template) or None


def _with_system(system: str, messages: Sequence[Any]) -> list[Any]:
    """One system message: many chat templates refuse a second one."""
    match messages:
        case [{"role": "system", "content": str(content)} as first, *rest]:
            return [{**first, "content": f"{system}\n\n{content}"}, *rest]
        case _:
            return [{"role": "system", "content": system}, *messages]


def _refuse_unknown(part: Document, path: str) -> None:
    if unknown := sorted(part.model_extra or {}):
        known = ", ".join(type(part).model_fields)
        raise Unsupported(f"{path}.{unknown[0]} is not supported here; supported are {known}")
