"""A kubeconfig that cannot be used: one line that says why, and what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kubernetes.config import kube_config

from nemo_eval_operator.plugin.main import run_command_line

SET_ANOTHER = "Set --kubeconfig, --context or KUBECONFIG"
LOG_IN = "Install the plugin or log in again, or name another context with --context"
CHECK = (
    "is not an object with clusters, users and contexts, or has an auth-provider that is not supported "
    "(check it with `kubectl config view`)"
)
EXEC_VERSION = "client.authentication.k8s.io/v1"
API_VERSION = f'"apiVersion": "{EXEC_VERSION}", "kind": "ExecCredential"'


def kubeconfig(user: Any, **cluster: Any) -> str:
    return json.dumps(
        {
            "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1", **cluster}}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
    )


def plugin(command: str, *arguments: str) -> str:
    return kubeconfig({"exec": {"apiVersion": EXEC_VERSION, "command": command, "args": [*arguments]}})


def script(text: str) -> str:
    return plugin("/bin/sh", "-c", text)


def problem_of(capfd: pytest.CaptureFixture[str], path: Path) -> str:
    """Return what `get` says of the kubeconfig, which has to be one line."""
    assert run_command_line(["get", "--kubeconfig", str(path)]) == 5
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err.removeprefix("error: no access to a cluster: ").rstrip()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"hello", CHECK),
        (b"- a", CHECK),
        (b"3", CHECK),
        (b"contexts: [{name: x, context: t}]\ncurrent-context: x\n", CHECK),
        (kubeconfig("text").encode(), CHECK),
        (kubeconfig({"auth-provider": {"name": "gcp"}}).encode(), CHECK),
        (b"\xe4: \xff", "is not text in UTF-8"),
        (
            kubeconfig({"client-certificate-data": "%%%", "client-key-data": "a"}).encode(),
            "has data that is not base64",
        ),
    ],
)
def test_a_file_that_does_not_have_the_form_of_a_kubeconfig(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, content: bytes, problem: str
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_bytes(content)
    assert problem_of(capfd, path) == f"the kubeconfig {path} {problem}. {SET_ANOTHER}"


def test_files_that_cannot_be_read(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = problem_of(capfd, tmp_path)
    assert found == f"the kubeconfig {tmp_path} cannot be read: {tmp_path}: Is a directory. {SET_ANOTHER}"
    path, token = tmp_path / "kubeconfig", tmp_path / "token"
    path.write_text(kubeconfig({"tokenFile": str(token)}))
    found = problem_of(capfd, path)
    assert found == f"the kubeconfig {path} cannot be read: {token}: No such file or directory. {SET_ANOTHER}"


def test_the_files_of_the_environment_are_named(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("hello")
    # The client reads KUBECONFIG when it is imported.
    monkeypatch.setenv("KUBECONFIG", str(path))
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    assert run_command_line(["get"]) == 5
    assert f"the kubeconfig {path} is not an object" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (script("printf 'log in\\nfirst\\033[2J\\n' >&2; exit 3"), "process returned 3. log in first [2J"),
        (plugin("/no/such/plugin"), "No such file or directory: '/no/such/plugin'"),
        (script("echo hello"), "failed to decode process output: Expecting value: line 1 column 1 (char 0)"),
        (script(f"echo '{{{API_VERSION}}}'"), "malformed response. missing key 'status'"),
        (
            script(f"""echo '{{{API_VERSION}, "status": {{}}}}'"""),
            "missing token or clientCertificateData field in plugin output",
        ),
    ],
)
def test_a_credential_plugin_that_fails(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, content: str, problem: str
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(content)
    said = problem_of(capfd, path)
    assert said == f"the credential plugin of the kubeconfig {path} failed: {problem}. {LOG_IN}"


def test_the_token_of_a_credential_plugin_is_used(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(script(f"""echo '{{{API_VERSION}, "status": {{"token": "t"}}}}'"""))
    assert run_command_line(["get", "--kubeconfig", str(path)]) == 5
    assert "127.0.0.1:1 cannot be reached" in capfd.readouterr().err


def test_a_credential_plugin_that_fails_when_its_token_has_expired(tmp_path: Path) -> None:
    path, used = tmp_path / "kubeconfig", tmp_path / "used"
    status = '"status": {"token": "t", "expirationTimestamp": "2020-01-01T00:00:00Z"}'
    first = f"touch {used}; echo '{{{API_VERSION}, {status}}}'"
    path.write_text(script(f"[ -e {used} ] && printf 'log in\\nfirst\\033[2J' >&2 && exit 3; {first}"))

    program = Path(sys.executable).with_name("kubectl-nemoeval")
    done = subprocess.run([program, "get", "--kubeconfig", path], capture_output=True, text=True, check=False)

    assert done.returncode == 5
    warning, error = done.stderr.splitlines()
    failed = f"warning: the credential plugin of the kubeconfig {path} failed"
    assert warning == f"{failed}: process returned 3. log in first [2J"
    assert "127.0.0.1:1 cannot be reached" in error
