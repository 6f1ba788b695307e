"""Conversion of NeMo's params to lm-eval's arguments; no I/O.

What a caller may set is listed here, key by key: lm-eval has options that read files, run code from a hub or
send the API key elsewhere, and those are the server's to decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    StringConstraints,
    ValidationError,
)

from nemo_local_evaluator.models import Endpoint, call_url, kind_of_url
from nemo_local_evaluator.templating import Generates
from nemo_local_evaluator.wire.errors import EvaluationError
from nemo_local_evaluator.wire.problems import in_words
from nemo_local_evaluator.wire.schemas import Params

from .child import Request

__all__ = ["NEMO_TYPES", "Extra", "extra_of", "kind_of", "request_of"]

ModelType = Literal["chat", "completions"]

_KINDS: Final[dict[ModelType, Generates]] = {"chat": "chat-completion", "completions": "completion"}
_MODELS: Final[dict[ModelType, str]] = {"chat": "local-chat-completions", "completions": "local-completions"}

NEMO_TYPES: Final = ("agentic", "custom", "rag", "retriever", "similarity_metrics")
"""Config types that are not lm-eval's, for messages: a misspelt one is taken for a task of lm-eval."""

_A_PAIR: Final = 2

HubName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$")]
"""No path: files of this machine are not the caller's to read."""

LocalPath = Annotated[str, StringConstraints(pattern=r"^/")]
"""Of a directory beneath one that the server was started with; others are refused."""


def _unquoted(text: str) -> str:
    """Return the text without a pair of quotes around it.

    NVIDIA's page quotes a system instruction once more ("'detailed thinking on'"), as its server writes the
    instruction to a command line.
    """
    quote = text[:1]
    quoted = len(text) > 1 and quote in {"'", '"'} and text.endswith(quote) and text.count(quote) == _A_PAIR
    return text[1:-1] if quoted else text


class EvaluateOptions(BaseModel):
    """Arguments of `lm_eval.simple_evaluate`, under their own names."""

    num_fewshot: NonNegativeInt | None = None
    batch_size: PositiveInt | Literal["auto"] | None = None
    bootstrap_iters: NonNegativeInt | None = None
    apply_chat_template: bool | None = None
    fewshot_as_multiturn: bool | None = None
    system_instruction: Annotated[str, AfterValidator(_unquoted)] | None = None
    samples: dict[str, list[NonNegativeInt]] | None = None
    random_seed: int | None = None
    numpy_random_seed: int | None = None
    torch_random_seed: int | None = None
    fewshot_random_seed: int | None = None


class ModelOptions(BaseModel):
    """Arguments of lm-eval's API models, under their own names."""

    max_length: PositiveInt | None = None
    truncate: bool | None = None
    add_bos_token: bool | None = None
    custom_prefix_token_id: NonNegativeInt | None = None
    tokenized_requests: bool | None = None
    revision: HubName | None = None
    use_fast_tokenizer: bool | None = None
    eos_string: str | None = None
    seed: int | None = None


class Extra(EvaluateOptions, ModelOptions):
    """`params.extra` of an academic config."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    model_type: ModelType | None = None
    hf_token: str | None = Field(default=None, repr=False)
    tokenizer: HubName | LocalPath | None = None
    tokenizer_backend: Literal["hf", "huggingface", "tiktoken", "none"] | None = None
    dataset_seed: int | None = None
    use_greedy: bool | None = None
    top_k: int | None = None


def extra_of(params: Params) -> Extra:
    """Raises EvaluationError that names what lm-eval does not take, or may not be given."""
    try:
        return Extra.model_validate(params.extra or {})
    except ValidationError as error:
        # By code, not by input: a mistyped key may hold a secret.
        faults = ", ".join(f"{'.'.join(map(str, one['loc']))} ({in_words(one)})" for one in error.errors())
        raise EvaluationError(f"params.extra has what cannot be passed to lm-eval: {faults}") from error


def kind_of(url: str, extra: Extra) -> ModelType:
    """By the URL's path, or else params.extra.model_type. Raises EvaluationError where they disagree."""
    given = kind_of_url(url)
    by_path = next((model_type for model_type, kind in _KINDS.items() if kind == given), None)
    if by_path and extra.model_type and by_path != extra.model_type:
        raise EvaluationError(
            f"params.extra.model_type is {extra.model_type!r}, but {url!r} is an endpoint for {by_path}"
        )
    return by_path or extra.model_type or "chat"


def _options(params: Params, extra: Extra, kind: ModelType) -> dict[str, object]:
    options: dict[str, object] = extra.model_dump(
        include=set(EvaluateOptions.model_fields), exclude_none=True
    )
    if extra.dataset_seed is not None:
        seeds = ("random_seed", "numpy_random_seed", "torch_random_seed", "fewshot_random_seed")
        options = dict.fromkeys(seeds, extra.dataset_seed) | options
    if kind == "chat":
        options["apply_chat_template"] = True
    if params.limit_samples and extra.samples is None:
        options["limit"] = params.limit_samples
    return options


def request_of(
    config_type: str,
    tasks: Sequence[str],
    params: Params,
    endpoint: Endpoint,
    *,
    parallelism: int,
    tokenizers: Sequence[Path] = (),
) -> Request:
    """Without secrets, which travel by the environment. Raises EvaluationError.

    `tokenizers` are directories beneath which a tokenizer may be named by its path.
    """
    for name in (config_type, *tasks):
        if "/" in name:
            raise EvaluationError(
                f"config or task type {name!r} is a file path; give the name of a task of lm-eval"
            )
    extra = extra_of(params)
    tokenizer = extra.tokenizer
    if tokenizer and tokenizer.startswith("/"):
        tokenizer = _allowed_directory(tokenizer, tokenizers)
    kind = kind_of(endpoint.url, extra)
    if kind == "chat" and extra.apply_chat_template is False:
        raise EvaluationError(
            "a chat endpoint takes messages: params.extra.apply_chat_template cannot be false"
        )
    return {
        "type": config_type,
        "tasks": list(tasks),
        "model": _MODELS[kind],
        "model_args": {
            **extra.model_dump(include=set(ModelOptions.model_fields), exclude_none=True),
            **_tokenizer(kind, extra, tokenizer),
            "model": endpoint.model_id,
            "base_url": str(call_url(endpoint.url, _KINDS[kind])),
            "num_concurrent": parallelism,
            "timeout": endpoint.timeout,
            # lm-eval counts the first attempt too.
            "max_retries": endpoint.retries + 1,
        },
        "gen_kwargs": _generation(params, extra),
        "options": _options(params, extra, kind),
        "config_types": list(NEMO_TYPES),
        "task_directories": [],
    }


def _tokenizer(kind: ModelType, extra: Extra, tokenizer: str | None) -> dict[str, str]:
    # A chat endpoint tokenizes by itself: nothing is fetched from a hub for it.
    if kind == "chat":
        return {"tokenizer_backend": "none"}
    backend = extra.tokenizer_backend or ("huggingface" if tokenizer else "none")
    named = {"tokenizer": tokenizer} if tokenizer and backend != "none" else {}
    return {"tokenizer_backend": "huggingface" if backend == "hf" else backend, **named}


def _allowed_directory(given: str, allowed: Sequence[Path]) -> str:
    """Return the directory, symbolic links resolved. Raise EvaluationError where it is not an allowed one."""
    try:
        path = Path(given).resolve()
        if path.is_dir() and any(path.is_relative_to(root.resolve()) for root in allowed):
            return str(path)
    except (OSError, RuntimeError, ValueError):
        pass  # a link to itself, or a null character
    beneath = ", ".join(map(str, allowed)) or "none: use --harness-tokenizers"
    raise EvaluationError(f"params.extra.tokenizer is not in an allowed directory; allowed are {beneath}")


def _generation(params: Params, extra: Extra) -> dict[str, object]:
    """What overrides the task's own generation_kwargs."""
    stop = [params.stop] if isinstance(params.stop, str) else params.stop
    given = {
        "max_gen_toks": params.max_tokens,
        "temperature": params.temperature,
        "top_p": params.top_p,
        "until": stop,
        "top_k": extra.top_k,
        "do_sample": None if extra.use_greedy is None else not extra.use_greedy,
    }
    return {key: value for key, value in given.items() if value is not None}
