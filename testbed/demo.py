"""`python -m testbed.demo`: the operator's main job, from nothing to scores, on real parts.

Starts a Kubernetes API, a language model, the local evaluator and the operator; applies crds/ and
deploy/samples; deletes one job while it runs, and checks that the evaluator has cancelled it; ends with what
kubectl shows. The exit code is 0 only if every job ended as it should.

    KEEP=1                 leave everything up afterwards, until Ctrl-C, whatever fails or ends
    MODEL_URL=… MODEL=…    evaluate MODEL at this OpenAI-compatible endpoint (MODEL_API_KEY, if it wants one)
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NoReturn

from testbed.cluster import Cluster, KubectlError, prepare, start_cluster
from testbed.demo_evaluation import evaluate, report
from testbed.demo_stack import (
    DEMO_NAMESPACE,
    SAMPLES,
    DemoError,
    Stack,
    demo_namespace,
    limit,
    ready,
    served_model,
)
from testbed.processes import ProcessError, Processes, interrupt_on_sigterm, log_tail
from testbed.stack import start_evaluator, start_operator

__all__ = ["main"]

_ROOT: Final = Path(__file__).parent.parent
_FAILURES: Final = (DemoError, KubectlError, ProcessError, subprocess.TimeoutExpired)

OpenStack = Callable[[Processes, Path], contextlib.AbstractContextManager[Stack]]


def main(open_stack: OpenStack) -> int:
    """Evaluate the samples on a stack, and return the exit code."""
    interrupt_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="nemo-demo-") as directory, Processes() as processes:
        try:
            with open_stack(processes, Path(directory)) as stack:
                keep = os.environ.get("KEEP", "0") not in {"", "0"}
                try:
                    evaluate(stack)
                    report(stack)
                except _FAILURES as error:
                    if not keep:
                        raise
                    _explain(error, processes)
                if keep:
                    _keep(stack)
        except KeyboardInterrupt:
            print("\nInterrupted; stopping everything.", flush=True)
            return 130
        except _FAILURES as error:
            _explain(error, processes)
            return 1
        finally:
            signal.alarm(0)
    return 0


def _explain(error: Exception, processes: Processes) -> None:
    print(f"\nThe demo failed: {error}", file=sys.stderr)
    for child in processes:
        if child.program.name in {"operator", "evaluator", "model"}:
            tail = log_tail(child.program.log)
            print(f"\nEnd of the {child.program.name}'s log:\n{tail}", file=sys.stderr)


@contextlib.contextmanager
def _local_stack(processes: Processes, workdir: Path) -> Iterator[Stack]:
    prepare()
    limit()
    with start_cluster(processes, workdir / "cluster") as administered:
        ready(administered.description)
        model = served_model(processes, workdir)
        evaluator_url = start_evaluator(
            processes, workdir, datasets=SAMPLES / "data", models={model.model_id: model}
        )
        ready(f"local NeMo Evaluator at {evaluator_url}")
        _apply_crds(administered)
        with demo_namespace(administered) as cluster:
            start_operator(
                processes,
                workdir,
                kubeconfig=cluster.kubeconfig,
                evaluator_url=evaluator_url,
                # In a user's own cluster, only the demo's namespace.
                namespaces=[] if cluster.throwaway else [DEMO_NAMESPACE],
            )
            ready("nemo-eval-operator")
            yield Stack(processes, cluster, evaluator_url, model)


def _apply_crds(cluster: Cluster) -> None:
    print("$ kubectl apply --server-side -f crds/", flush=True)
    cluster.apply_crds()


NEXT: Final = """\
  kubectl nemoeval get
  kubectl nemoeval why general-knowledge-one-word
  kubectl nemoeval compare general-knowledge-smollm2 general-knowledge-one-word
"""
"""Commands about the samples' runs, for a user who keeps the demo."""


def _keep(stack: Stack) -> NoReturn:
    """Wait for Ctrl-C; parts that end by themselves are reported, and the others stay up."""
    signal.alarm(0)
    kubectl = stack.cluster.kubectl_command
    print("Everything stays up until Ctrl-C. In another terminal:\n")
    print(f'  export PATH="{_ROOT / ".venv/bin"}:$PATH"')
    print(f"  export KUBECONFIG={stack.cluster.kubeconfig}")
    if len(kubectl) > 1:
        print(f"  alias kubectl='{' '.join(kubectl)}'     # where none is installed")
    print(f"  export NVIDIA_EVALUATOR_URL={stack.evaluator_url}\n")
    print(f"Next:\n\n{NEXT}", flush=True)
    running = list(stack.processes)
    while True:
        for child in [child for child in running if child.ending()]:
            running.remove(child)
            print(
                f"{child.program.name} {child.ending()}; the other parts stay up until Ctrl-C. "
                f"The end of its log:\n{log_tail(child.program.log)}",
                flush=True,
            )
        time.sleep(1)


if __name__ == "__main__":
    try:
        sys.exit(main(_local_stack))
    except KeyboardInterrupt:  # a second one, while everything was being stopped
        sys.exit(130)
