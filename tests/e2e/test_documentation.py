"""Every command of README and docs is run, on a real API server with operator, evaluator and a model.

The commands of a page are run in their order, in a directory with the files that the page shows. Those that
cannot be run are listed in tests/not_run.py, with the reasons.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.cluster import Cluster
from testbed.model import ModelEndpoint
from testbed.processes import Processes
from testbed.stack import start_evaluator, start_operator
from tests.e2e.documentation_shell import MODELS, NAMESPACE, HelpfulModel, Shell
from tests.not_run import NOT_RUN, reason_not_to_run
from tests.pages import PAGES, commands, page_name

RUN = {page: [command for command in commands(page) if not reason_not_to_run(command.text)] for page in PAGES}

EXIT_CODES = {
    "nemo-eval-operator gate .* --candidate .*": 2,
    "kubectl nemoeval wait general-knowledge-one-word .*": 1,
    "kubectl nemoeval wait landmarks-candidate --timeout=100s": 2,
    "kubectl nemoeval run .* --gate gate-drop.yaml .*": 2,
}
"""Exit codes other than 0 that pages announce, by regular expressions that match whole commands."""


RUNS = Path(__file__).parent / "documented_runs.yaml"
"""Runs that end as those of the demo do, in less time."""

PAGES_WITH_RUNS = {"docs/how-to/plugin.md", "docs/how-to/report.md"}
"""Pages whose commands name the runs of the demo."""


@pytest.fixture(scope="module")
def shell(cluster: Cluster, crds: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    work, directory = tmp_path_factory.mktemp("documentation"), tmp_path_factory.mktemp("files")
    cluster.kubectl("create", "namespace", NAMESPACE)
    for created in (
        ("secret", "generic", "nim-api-key"),
        ("configmap", "gsm8k-llama-8b-results", "--from-literal=results.json={}"),
    ):
        cluster.kubectl("create", *created, "-n", NAMESPACE)
    with Processes() as processes, HelpfulModel() as model:
        models = {name: ModelEndpoint(model.url, name) for name in MODELS}
        evaluator_url = start_evaluator(processes, work, datasets=directory, models=models)
        start_operator(
            processes,
            work,
            kubeconfig=cluster.kubeconfig,
            evaluator_url=evaluator_url,
            namespaces=[NAMESPACE],
        )
        registry = work / "registered.json"
        registry.write_text(json.dumps({name: endpoint.as_registered() for name, endpoint in models.items()}))
        yield Shell(cluster.in_namespace(NAMESPACE), directory, registry, evaluator_url)
        cluster.kubectl("delete", "nemoevaljobs,nemobenchmarks", "--all", "-n", NAMESPACE, "--timeout=60s")
        processes.check()
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.mark.parametrize("page", [page for page in PAGES if RUN[page]], ids=page_name)
def test_the_commands_of_a_page_work(shell: Shell, page: Path) -> None:
    shell.show_files_of(page)
    shell.cluster.kubectl("delete", "nemoevaljobs,nemobenchmarks", "--all", "--timeout=60s")
    if page_name(page) in PAGES_WITH_RUNS:
        shell.cluster.kubectl("apply", "-f", str(RUNS))
        for verdict, run in (("Passed", "smollm2"), ("Failed", "one-word")):
            path = f"--for=jsonpath={{.status.gate.verdict}}={verdict}"
            shell.cluster.kubectl("wait", path, f"nemoevaljob/general-knowledge-{run}", "--timeout=60s")
    for command in RUN[page]:
        expected = next((code for text, code in EXIT_CODES.items() if re.fullmatch(text, command.text)), 0)
        ran = shell.run(command)
        assert ran.returncode == expected, f"{command}\n{ran.stdout}\n{ran.stderr}"


@pytest.mark.parametrize("pattern", NOT_RUN)
def test_each_exception_is_of_a_command_that_is_shown(pattern: str) -> None:
    assert any(re.fullmatch(pattern, command.text) for page in PAGES for command in commands(page))
