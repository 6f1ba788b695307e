"""`python -m testbed.model_server WEIGHTS PORT NAME`: serve a GGUF file at an OpenAI-compatible endpoint.

The server is llama.cpp's own, prebuilt in the wheel `xllamacpp`, which has no command of its own. It listens
on loopback until it is ended by a signal.
"""

import os
import signal
import sys
from typing import Final

import xllamacpp

__all__: list[str] = []

_CONTEXT_TOKENS: Final = 2048
"""Length of a prompt with its answer, in tokens, for each of the slots."""
_SLOTS: Final = 4
"""Requests that are answered side by side: the samples ask with a parallelism of 4."""


def _main(weights: str, port: int, name: str) -> None:
    params = xllamacpp.CommonParams()
    params.model.path = weights
    params.model_alias = name
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_parallel = _SLOTS
    params.n_ctx = _CONTEXT_TOKENS * _SLOTS
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = os.cpu_count() or 1
    server = xllamacpp.Server(params)
    print(f"listening at {server.listening_address}", flush=True)
    signal.pause()


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
