"""`make demo KEEP=1`: what is up stays up until Ctrl-C, whatever fails."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

DEMO = """
import contextlib, os, sys
from pathlib import Path
from testbed.cluster import Cluster
from testbed.demo import main
from testbed.demo_stack import Stack
from testbed.model import ModelEndpoint
from testbed.processes import Program

@contextlib.contextmanager
def two_parts(processes, workdir):
    for name in ("model", "evaluator"):
        argv = [sys.executable, "-c", "import time; print('out of memory', flush=True); time.sleep(600)"]
        log = workdir / name
        child = processes.start(Program(name, argv, log=log, ready=lambda: log.read_text() != ""))
        print(name, child.pid, flush=True)
    # Without an API server the evaluation fails at its first command.
    cluster = Cluster(workdir / "kubeconfig", "a broken cluster", workdir, ("false",))
    yield Stack(processes, cluster, "http://evaluator.test", ModelEndpoint("http://model.test", "m", None))

sys.exit(main(two_parts))
"""


@pytest.fixture
def demo(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", DEMO],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "KEEP": request.param, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        yield process
        process.kill()


def output(demo: subprocess.Popen[str]) -> IO[str]:
    assert demo.stdout is not None
    return demo.stdout


def until(demo: subprocess.Popen[str], text: str) -> str:
    """Read the demo's output up to the line with `text`."""
    lines = []
    for line in output(demo):
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError(f"no line with {text!r} in:\n{''.join(lines)}")


def pid_of(demo: subprocess.Popen[str], part: str) -> int:
    return int(until(demo, f"{part} ").split()[-1])


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("demo", ["1"], indirect=True)
def test_one_part_dies_and_the_rest_stays_up(demo: subprocess.Popen[str]) -> None:
    model, evaluator = pid_of(demo, "model"), pid_of(demo, "evaluator")
    until(demo, "The demo failed: kubectl apply")
    until(demo, "Everything stays up until Ctrl-C")
    until(demo, "/.venv/bin:$PATH")
    until(demo, "export NVIDIA_EVALUATOR_URL=http://evaluator.test")
    until(demo, "kubectl nemoeval why general-knowledge-one-word")

    os.kill(evaluator, signal.SIGKILL)

    until(demo, "evaluator was ended by SIGKILL; the other parts stay up until Ctrl-C. The end of its log")
    until(demo, "out of memory")
    assert runs(model)

    os.kill(model, signal.SIGTERM)

    until(demo, "model was ended by SIGTERM")
    assert demo.poll() is None
    demo.send_signal(signal.SIGINT)
    assert "was ended" not in output(demo).read(), "each is reported once"
    assert demo.wait() == 130


@pytest.mark.parametrize("demo", ["1"], indirect=True)
def test_ctrl_c_ends_what_is_left(demo: subprocess.Popen[str]) -> None:
    model = pid_of(demo, "model")
    until(demo, "stays up until Ctrl-C")

    demo.send_signal(signal.SIGINT)

    until(demo, "Interrupted; stopping everything.")
    assert demo.wait() == 130
    assert not runs(model)


@pytest.mark.parametrize("demo", ["", "0"], indirect=True)
def test_without_it_a_failure_ends_everything(demo: subprocess.Popen[str]) -> None:
    model = pid_of(demo, "model")

    until(demo, "The demo failed: ")
    assert "Ctrl-C" not in output(demo).read()
    assert demo.wait() == 1
    assert not runs(model)
