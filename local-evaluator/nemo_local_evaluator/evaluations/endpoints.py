"""Endpoints of models: the one that a target or a judge gives, or the one registered for a name."""

from __future__ import annotations

from collections.abc import Mapping

from nemo_local_evaluator.models import (
    DEFAULT_RETRIES,
    DEFAULT_TIMEOUT,
    Endpoint,
    ModelPrompt,
    call_url,
    kind_of_url,
    model_prompt,
)
from nemo_local_evaluator.settings import RegisteredModel
from nemo_local_evaluator.templating import Generates
from nemo_local_evaluator.wire.errors import EvaluationError, Unsupported
from nemo_local_evaluator.wire.schemas import Model, Params

__all__ = ["Endpoints"]


class Endpoints:
    def __init__(self, registered: Mapping[str, RegisteredModel]) -> None:
        self._registered = registered

    def of(self, model: str | Model | None, kind: Generates, params: Params, *, owner: str) -> Endpoint:
        """Return the endpoint of a model. `owner` is the field that names it, for messages.

        Raises EvaluationError.
        """
        url, model_id, api_key = self._address(model, owner)
        call_url(url, kind)
        # A key read from a file often ends with a newline, which no header may.
        api_key = api_key and api_key.strip()
        if api_key and not (api_key.isascii() and api_key.isprintable()):
            raise EvaluationError(
                f"the api_key of {owner} has characters that are not allowed in an HTTP header"
            )
        prompt = model.prompt if isinstance(model, Model) else None
        return Endpoint(
            url=url,
            model_id=model_id,
            api_key=api_key,
            timeout=float(params.request_timeout or DEFAULT_TIMEOUT),
            retries=DEFAULT_RETRIES if params.max_retries is None else params.max_retries,
            prompt=ModelPrompt() if prompt is None else model_prompt(prompt, owner=owner),
        )

    def kind_of(self, model: str | Model | None, *, owner: str) -> Generates:
        """Return the kind of request that the model's URL serves, by default chat. Raise EvaluationError."""
        return kind_of_url(self._address(model, owner)[0]) or "chat-completion"

    def _address(self, model: str | Model | None, owner: str) -> tuple[str, str, str | None]:
        if model is None:
            raise EvaluationError(f"{owner} has no model")
        if isinstance(model, str):
            registered = self._registered.get(model)
            if registered is None:
                raise EvaluationError(
                    f"model {model!r} is not registered in the evaluator: add it to the file of --models, or "
                    "give the model an api_endpoint"
                )
            return registered.url, registered.model_id or model, registered.api_key
        if model.guardrails is not None:
            raise Unsupported(
                f"the model of {owner} has guardrails, which are not supported here; remove them"
            )
        endpoint = model.api_endpoint
        if endpoint is None:
            raise EvaluationError(f"the model of {owner} has no api_endpoint")
        if endpoint.format == "lama_stack":
            raise Unsupported("endpoint format 'lama_stack' is not supported here; supported are nim, openai")
        return endpoint.url, endpoint.model_id, endpoint.api_key
