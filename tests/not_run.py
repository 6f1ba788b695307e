"""Commands in the documentation that tests/e2e/test_documentation.py does not run, each with the reason."""

import re
from collections.abc import Mapping
from typing import Final

__all__ = ["NOT_RUN", "reason_not_to_run"]

NOT_RUN: Final[Mapping[str, str]] = {
    r"make .*": "takes minutes; .ci/run runs the Makefile's targets",
    r"docker .*": "needs a container engine; tests/e2e/test_image.py builds the image",
    r"helm .*": "installs the operator; tests/e2e/test_helm.py does so with this chart",
    r"uv tool install .*": "changes the machine; tests/e2e/test_package.py installs the wheel",
    r"kubectl wait .*job/.*": "no kubelet runs the pod; tests/integration/test_recipes.py runs its command",
    r"kubectl nemoeval (cancel|rerun) .*-answers-.*": "tests/unit/plugin/test_steer.py; the runs have ended",
    r"kubectl nemoeval cancel gsm8k-llama-8b": "refused once the run has ended; see the line above",
    r"kubectl port-forward .*": "no kubelet runs pods",
    r"kubectl nemoeval logs .* --evaluator-url .*": "needs the port-forward; tests/unit/plugin/test_logs.py",
    r"kubectl nemoeval export mlflow .*": "tests/integration/test_plugin_export_mlflow.py starts a server",
    r"pip install .*": "changes the environment; tests/e2e/test_package.py makes one",
    r"nemo-(eval-operator run|local-evaluator serve)\b.*": "runs until interrupted; the test starts both",
    r"\.venv/bin/.*": "runs until interrupted, or is a part of the test suite",
    r"python -m testbed\.faults .*": "runs until interrupted; tests/e2e/test_faults.py starts it",
    r"kubectl apply .*-f deploy/install\.yaml": "installs the operator; tests/e2e/test_install.py does so",
    r"kubectl delete -f deploy/install\.yaml": "deletes the CRDs that other tests use",
    r"kubectl apply -f deploy/samples": "needs the demo's model; make demo applies them",
    r"kubectl apply --server-side -f crds/": "the fixture has applied them",
    r"kubectl delete .*--all-namespaces": "deletes objects of other tests; see tests/e2e/test_teardown.py",
    r"kubectl .*nemo-eval-system\b.*": "needs an installed operator; tests/e2e/test_install.py installs it",
    r"kubectl patch nejob .*cancel.*": "refused once the run has ended; tests/e2e/test_way_of_a_job.py",
    r"kubectl patch configmap argocd-cm .*": "tests/integration/test_gitops_manifests.py patches one",
    r"nemo-eval-operator release-finalizers .*": "tests/e2e/test_release_finalizers.py runs it",
    r"nemo-local-evaluator run gsm8k\.yaml .*": "tests/integration/test_local_evaluator_harness.py does",
    r"kubectl delete nemoevaljob long-answers-smollm2": "make demo deletes it",
    r"kubectl get nemobenchmarks,nemoevaljobs": "make demo shows it",
    r"curl http://127\.0\.0\.1:.*": "make demo sends this request",
}
"""Reasons by regular expressions, which match whole commands. Every other command is run."""


def reason_not_to_run(command: str) -> str | None:
    """Return why a command is not run; None where the test runs it."""
    return next((reason for pattern, reason in NOT_RUN.items() if re.fullmatch(pattern, command)), None)
