"""A shell in which the commands of a page can be run, and the model that its jobs evaluate."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from typing_extensions import override

from testbed.cluster import Cluster
from tests.e2e.loopback import LoopbackServer, QuietHandler
from tests.pages import ROOT, Command, blocks

__all__ = ["MODELS", "NAMESPACE", "HelpfulModel", "Shell"]

NAMESPACE: Final = "team-a"
"""The namespace that pages use in their commands."""

MODELS: Final = ("smollm2-135m-instruct", "my-model", "my-judge", "meta/llama-3.1-8b-instruct")
"""Registered models that pages use."""

_TIMEOUT_SECONDS: Final = 120
_CALL: Final = {"type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}


class HelpfulModel(LoopbackServer):
    """An OpenAI-compatible endpoint that answers Paris, rates with 4, and calls a tool where it has one."""

    def __init__(self) -> None:
        super().__init__()
        self.url += "/v1"

    @override
    def release(self) -> None:
        """Do nothing: no request is held."""

    @override
    def handler(self) -> type[QuietHandler]:
        class Handler(QuietHandler):
            def do_POST(self) -> None:  # noqa: N802 - the name that http.server calls
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                body = json.dumps({"choices": [_choice(request)]}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Handler


def _choice(request: dict[str, Any]) -> dict[str, Any]:
    if "messages" not in request:
        return {"text": " Paris"}
    if request.get("tools"):
        return {"message": {"role": "assistant", "content": None, "tool_calls": [_CALL]}}
    rated = "RATING" in str(request["messages"][-1]["content"])
    return {"message": {"role": "assistant", "content": "RATING: 4" if rated else "Paris"}}


@dataclass(frozen=True)
class Shell:
    """Bash in a directory that the evaluator reads datasets from; its kubectl is in namespace team-a."""

    cluster: Cluster
    directory: Path
    models: Path
    evaluator_url: str

    def show_files_of(self, page: Path) -> None:
        """Replace the directory's files by those that the page shows, models.json and deploy/."""
        for entry in self.directory.iterdir():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        (self.directory / "deploy").symlink_to(ROOT / "deploy")
        for block in blocks(page):
            if block.title:
                path = self.directory / block.title
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text)
        shutil.copy(self.models, self.directory / "models.json")

    def run(self, command: Command) -> subprocess.CompletedProcess[str]:
        """Run a command; `cat FILE` first creates the file, of which the page shows the text."""
        if command.text.startswith("cat "):
            (self.directory / command.text.removeprefix("cat ")).write_text(command.output)
        programs = self._programs()
        return subprocess.run(
            ["/bin/bash", "-c", command.text],
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_SECONDS,
            stdin=subprocess.DEVNULL,
            env={
                **os.environ,
                "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
                "KUBECONFIG": str(self.cluster.kubeconfig),
                "NVIDIA_EVALUATOR_URL": self.evaluator_url,
            },
        )

    def _programs(self) -> Path:
        """Return a directory with a `kubectl`, which may be a part of another program."""
        programs = self.models.parent / "programs"
        programs.mkdir(exist_ok=True)
        kubectl = programs / "kubectl"
        kubectl.write_text(f'#!/bin/sh\nexec {" ".join(self.cluster.kubectl_command)} "$@"\n')
        kubectl.chmod(0o755)
        return programs
