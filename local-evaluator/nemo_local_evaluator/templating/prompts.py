"""Body of one model call, from the `params.template` of a task or a judge.

The template names `messages` or `prompt`. Whatever else it names (max_tokens, temperature, tools, nvext, ...)
goes into the request too, and wins over the config's params. Every string in it is a Jinja template. One that
is a single `{{ expression }}` stands for the value itself, so that a row may bring tools or a number.
`messages` and `tools` may also be a template that renders JSON. Text for the model remains text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Literal

from nemo_local_evaluator.wire.errors import EvaluationError, SampleFailed
from nemo_local_evaluator.wire.schemas import Params

from .templates import Context, Template, TemplateEnvironment

__all__ = ["Generates", "Prompt"]

Generates = Literal["chat-completion", "completion"]

_SAMPLING: Final = ("max_tokens", "temperature", "top_p", "stop")
# Keys of params.extra that an OpenAI endpoint understands. The others steer harnesses (num_fewshot,
# tokenizer, hf_token, ...) and would be refused, or leaked, if they were sent along.
_EXTRA_SAMPLING: Final = (
    "chat_template_kwargs",
    "frequency_penalty",
    "logit_bias",
    "min_p",
    "presence_penalty",
    "reasoning_effort",
    "repetition_penalty",
    "response_format",
    "seed",
    "top_k",
)
_ALWAYS_JSON: Final = frozenset({"messages", "tools"})
_ALWAYS_TEXT: Final = frozenset({"prompt", "text"})
_CONTENT_PARTS: Final = frozenset(
    {"audio_url", "file", "image_url", "input_audio", "refusal", "text", "video_url"}
)
"""Values of `type` in the parts that a message's content may have in place of a text."""

_Renderer = Callable[[Context], Any]


class Prompt:
    def __init__(
        self,
        *,
        owner: str,
        kind: Generates,
        template: object,
        params: Params,
        environment: TemplateEnvironment,
    ) -> None:
        fields = _template_fields(owner, template)
        self._environment = environment
        self._sampling = _sampling(params)
        try:
            self._fields = {key: self._field(key, value) for key, value in fields.items()}
        except EvaluationError as error:
            raise EvaluationError(f"{owner}: params.template: {error}") from error
        self._kind = kind
        if kind == "completion" and "prompt" not in fields:
            raise EvaluationError(
                f"{owner}: an endpoint for completions takes no messages. Give params.template.prompt, or a"
                " URL that ends with /chat/completions"
            )

    def request(self, context: Context) -> dict[str, Any]:
        body = self._sampling | {key: render(context) for key, render in self._fields.items()}
        if self._kind == "completion":
            body.pop("messages", None)
            return body
        if "messages" not in body:
            body["messages"] = [{"role": "user", "content": body["prompt"]}]
        body.pop("prompt", None)
        messages = body["messages"]
        if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
            raise SampleFailed("template messages must be a list of objects with role and content")
        return body

    def _field(self, key: str, value: object) -> _Renderer:
        if isinstance(value, str):
            template = self._environment.compile(value)
            if key in _ALWAYS_JSON:
                return template.render_json
            if key == "tool_choice":
                return partial(_tool_choice, template)
        return self._inner(key, value)

    def _inner(self, key: str, value: object) -> _Renderer:
        """Return what renders every string at any depth and leaves the rest as it is."""
        if isinstance(value, str):
            template = self._environment.compile(value)
            if key in _ALWAYS_TEXT:
                return template.render
            return partial(template.value, only=_is_content) if key == "content" else template.value
        if isinstance(value, list):
            items = [self._inner(key, item) for item in value]
            return lambda context: [render(context) for render in items]
        if isinstance(value, dict):
            entries = {name: self._inner(name, item) for name, item in value.items()}
            return lambda context: {name: render(context) for name, render in entries.items()}
        return lambda _context: value


def _tool_choice(template: Template, context: Context) -> Any:
    """Return a word (`auto`, `required`), or the object that names one tool."""
    found = template.value(context)
    if isinstance(found, str) and found.lstrip().startswith(("{", '"')):
        return template.render_json(context)
    return found


def _is_content(value: object) -> bool:
    """Return whether a message may have this value as content: null, or a list. Others become text."""
    if value is None:
        return True
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(part, dict) and part.get("type") in _CONTENT_PARTS for part in value)
    )


def _template_fields(owner: str, template: object) -> Mapping[str, Any]:
    if isinstance(template, str):
        return {"prompt": template}
    if isinstance(template, dict) and ("messages" in template or "prompt" in template):
        return template
    raise EvaluationError(f"{owner} needs params.template with messages or prompt")


def _sampling(params: Params) -> dict[str, Any]:
    named = {key: getattr(params, key) for key in _SAMPLING}
    extra = {key: (params.extra or {}).get(key) for key in _EXTRA_SAMPLING}
    return {key: value for key, value in (extra | named).items() if value is not None}
