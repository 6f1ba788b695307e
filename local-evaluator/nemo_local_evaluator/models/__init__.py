"""Client of models with an OpenAI-compatible API, and the HTTP connections that it uses."""

from .client import (
    DEFAULT_RETRIES,
    DEFAULT_TIMEOUT,
    Endpoint,
    ModelClient,
    call_url,
    kind_of_url,
    parse_url,
)
from .http import HttpClients, open_http_clients
from .prompt import ModelPrompt, model_prompt

__all__ = [
    "DEFAULT_RETRIES",
    "DEFAULT_TIMEOUT",
    "Endpoint",
    "HttpClients",
    "ModelClient",
    "ModelPrompt",
    "call_url",
    "kind_of_url",
    "model_prompt",
    "open_http_clients",
    "parse_url",
]
