"""From the `params.template` of a task or a judge to the body of one model call.

The template names `messages` or `prompt`; whatever else it names (max_tokens, temperature, tools, ...) goes
into the request and wins over the config's params. `messages`, `tools` and `tool_choice` may each be a Jinja
string that renders JSON.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from nemo_local_evaluator.errors import EvaluationError, SampleError
from nemo_local_evaluator.schemas import Params
from nemo_local_evaluator.templates import Context, TemplateEnvironment

Generates = Literal["chat-completion", "completion"]

_SAMPLING = ("max_tokens", "temperature", "top_p", "stop")
# Keys of params.extra that an OpenAI endpoint understands. The others steer harnesses (num_fewshot,
# tokenizer, hf_token, ...) and would be refused, or leaked, if they were sent along.
_EXTRA_SAMPLING = (
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
_RENDERED = frozenset({"messages", "prompt", "tools", "tool_choice"})

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
        self._fixed = _sampling(params) | {key: fields[key] for key in fields if key not in _RENDERED}
        self._rendered = {
            key: self._renderer(fields[key], as_json=key != "prompt") for key in _RENDERED & fields.keys()
        }
        self._kind = kind
        if kind == "completion" and "prompt" not in fields:
            msg = f"{owner}: a completion needs params.template.prompt"
            raise EvaluationError(msg)

    def request(self, context: Context) -> dict[str, Any]:
        body = self._fixed | {key: render(context) for key, render in self._rendered.items()}
        if self._kind == "completion":
            body.pop("messages", None)
            return body
        if "messages" not in body:
            body["messages"] = [{"role": "user", "content": body["prompt"]}]
        body.pop("prompt", None)
        messages = body["messages"]
        if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
            msg = "template messages must be a list of objects with role and content"
            raise SampleError(msg)
        return body

    def _renderer(self, value: object, *, as_json: bool) -> _Renderer:
        if not isinstance(value, str):
            return self._inner(value)
        template = self._environment.compile(value)
        if as_json and "{" in value:
            return template.render_json
        return template.render

    def _inner(self, value: object) -> _Renderer:
        """Renders every string at any depth and leaves the rest as it is."""
        if isinstance(value, str):
            return self._environment.compile(value).render
        if isinstance(value, list):
            items = [self._inner(item) for item in value]
            return lambda context: [render(context) for render in items]
        if isinstance(value, dict):
            entries = {key: self._inner(item) for key, item in value.items()}
            return lambda context: {key: render(context) for key, render in entries.items()}
        return lambda _context: value


def _template_fields(owner: str, template: object) -> Mapping[str, Any]:
    if isinstance(template, str):
        return {"prompt": template}
    if isinstance(template, dict) and ("messages" in template or "prompt" in template):
        return template
    msg = f"{owner} needs params.template with messages or prompt"
    raise EvaluationError(msg)


def _sampling(params: Params) -> dict[str, Any]:
    named = {key: getattr(params, key) for key in _SAMPLING}
    extra = {key: (params.extra or {}).get(key) for key in _EXTRA_SAMPLING}
    return {key: value for key, value in (extra | named).items() if value is not None}
