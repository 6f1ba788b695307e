"""`kubectl nemoeval logs`: lines of an evaluator's log, by whom they may be read, and what never leaves."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile

import pytest
from typing_extensions import override

from nemo_eval_operator.plugin.logs import archive, showing
from tests.unit.lifecycle.objects import condition, evaljob, finished, followed
from tests.unit.plugin.cluster_api import ClusterApi
from tests.unit.plugin.conftest import Run

JOBS = "nemoevaljobs"
PATH = "/v1/evaluation/jobs/eval-1/logs"
TOKEN = "s3cr3t-of-the-evaluator"


class Evaluator:
    """An evaluator on this machine. `answers` are given in turn, the last one again and again."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.requests: list[tuple[str, str | None]] = []
        """Path and authorization."""
        self.location = ""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append((self.path, self.headers["Authorization"]))
                status, body = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                self.send_response(status)
                if outer.location:
                    self.send_header("Location", outer.location)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            @override
            def log_message(self, *_: object) -> None:
                """Nothing is logged."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def evaluator() -> Iterator[Evaluator]:
    found = Evaluator()
    thread = threading.Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(showing, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(showing, "POLL_SHARE", 0)


def zipped(compression: int = ZIP_DEFLATED, **files: str) -> bytes:
    content = io.BytesIO()
    with ZipFile(content, "w", compression) as found:
        for name, text in files.items():
            found.writestr(name.replace("_", "."), text)
    return content.getvalue()


def connect(api: ClusterApi, url: str, **auth: Any) -> dict[str, Any]:
    """Put a connection with a token; returns the status of a run that used it."""
    given = auth or {"bearerToken": {"name": "token", "key": "token"}}
    connection = {
        "apiVersion": "evaluator.nemo.dev/v1alpha1",
        "kind": "NemoEvaluatorConnection",
        "metadata": {"namespace": "team-a", "name": "prod", "uid": "c", "generation": 1},
        "spec": {"url": url, "auth": given},
        "status": {"observedGeneration": 1, "conditions": [condition("Ready", "True", "Connected")]},
    }
    api.put("nemoevaluatorconnections", connection)
    data = {"token": base64.b64encode(TOKEN.encode()).decode()}
    api.secrets["team-a", "token"] = {"metadata": {"name": "token", "uid": "s"}, "data": data}
    return {"evaluator": {"url": url, "connection": "team-a/prod"}}


def test_the_log_is_printed_with_the_connections_credentials(
    api: ClusterApi, run: Run, evaluator: Evaluator
) -> None:
    evaluator.answers = [(200, zipped(log_txt="first\nsecond\nwithout an end"))]
    api.put(JOBS, evaljob(status=followed(**connect(api, evaluator.url))))
    assert run("logs", "qa-llama") == (0, "first\nsecond\nwithout an end\n", "")
    assert evaluator.requests == [(PATH, f"Bearer {TOKEN}")]
    assert run("logs", "qa-llama", "--tail", "1")[1] == "without an end\n"


def test_the_operators_own_evaluator_is_called_without_credentials(
    api: ClusterApi, run: Run, evaluator: Evaluator
) -> None:
    evaluator.answers = [(200, zipped(log_txt="line\n"))]
    api.put(JOBS, evaljob(status=followed(evaluator={"url": "http://evaluator.ops.svc:7331"})))
    assert run("logs", "qa-llama", "--evaluator-url", evaluator.url)[:2] == (0, "line\n")
    assert evaluator.requests == [(PATH, None)]


def test_new_lines_are_followed_until_the_run_has_ended(
    api: ClusterApi, run: Run, evaluator: Evaluator
) -> None:
    used = connect(api, evaluator.url)
    texts = ("a\n", "a\nb\nc", "a\nb\nc and more\n", "a\nb\nc and more\nend")
    evaluator.answers = [(200, zipped(log_txt=text)) for text in texts[:2]]
    evaluator.answers += [(503, b""), *((200, zipped(log_txt=text)) for text in texts[2:])]
    api.put(JOBS, evaljob(status=followed(**used)))

    def end(_: int) -> None:
        if len(evaluator.requests) >= 5:
            api.put(JOBS, evaljob(status=finished(**used)))

    api.after = end
    code, out, _ = run("logs", "qa-llama", "-f")
    assert (code, out) == (0, "a\nb\nc and more\nend\n")


@pytest.mark.parametrize("submitted", [True, False])
def test_a_log_is_followed_through_an_outage_of_the_kubernetes_api(
    api: ClusterApi, run: Run, evaluator: Evaluator, submitted: bool
) -> None:
    used = connect(api, evaluator.url)
    evaluator.answers = [(200, zipped(log_txt="a\n"))]
    api.put(JOBS, evaljob(status=followed(**used) if submitted else {}))
    reads = 0

    def go_on(_: int) -> None:
        nonlocal reads
        reads += api.requests[-1].endswith("/nemoevaljobs/qa-llama")
        if reads == 2 and not api.lost:
            api.lost += ["GET"] * 3
        if reads == 7:
            api.put(JOBS, evaljob(status=finished(**used)))

    api.after = go_on
    code, out, err = run("logs", "qa-llama", "-f")
    assert (code, out) == (0, "a\n")
    limit = "" if submitted else " for up to 1m30s"
    assert err.splitlines()[-2:] == [
        f"the Kubernetes API at kube.test:443 did not answer in time; trying again{limit}",
        "the Kubernetes API answers again",
    ]


def test_the_next_attempt_is_followed_too(api: ClusterApi, run: Run, evaluator: Evaluator) -> None:
    used = connect(api, evaluator.url)
    evaluator.answers = [(200, zipped(log_txt="one\n"))] * 3 + [(200, zipped(log_txt="two\n"))]
    api.put(JOBS, evaljob(status=followed(**used)))

    def go_on(_: int) -> None:
        if len(evaluator.requests) == 2:
            api.put(JOBS, evaljob(status=followed(jobId="eval-2", **used)))
        if len(evaluator.requests) >= 4:
            api.put(JOBS, evaljob(status=finished(jobId="eval-2", **used)))

    api.after = go_on
    code, out, err = run("logs", "qa-llama", "-f")
    assert (code, out) == (0, "one\ntwo\n")
    assert "remote job eval-1 is followed by eval-2" in err


def test_a_requested_attempt_is_followed_from_before_it_is_submitted(
    api: ClusterApi, run: Run, evaluator: Evaluator
) -> None:
    used = connect(api, evaluator.url)
    evaluator.answers = [(200, zipped(log_txt="one\n"))] * 3 + [(200, zipped(log_txt="two\n"))]
    requested = {"annotations": {"evaluator.nemo.dev/rerun": "2"}}
    again = {**used, "attempt": 2, "rerun": "2"}
    api.put(JOBS, evaljob(meta=requested, status=finished(**used)))
    waited: list[int] = []

    def go_on(answers: int) -> None:
        if len(evaluator.requests) == 2 and not waited:
            waited.append(answers)
            pending = {"phase": "Pending", "observedGeneration": 1} | again
            api.put(JOBS, evaljob(meta=requested, status=pending))
        if waited and answers >= waited[0] + 3:
            api.put(JOBS, evaljob(meta=requested, status=finished(jobId="eval-2", **again)))

    api.after = go_on
    code, out, err = run("logs", "qa-llama", "-f")
    assert (code, out) == (0, "one\ntwo\n")
    assert err.splitlines() == [
        "qa-llama: Pending; waiting for the remote job",
        "qa-llama: remote job eval-1 is followed by eval-2",
    ]


def test_several_files_have_headings_and_other_files_are_not_shown(
    api: ClusterApi, run: Run, evaluator: Evaluator
) -> None:
    evaluator.answers = [(200, zipped(a_log="1\n", b_err="2\n", c_bin="\x00"))]
    api.put(JOBS, evaljob(status=followed(**connect(api, evaluator.url))))
    assert run("logs", "qa-llama")[1] == "==> a.log <==\n1\n==> b.err <==\n2\n"


def test_a_log_cannot_control_the_terminal_nor_show_credentials(
    api: ClusterApi, run: Run, evaluator: Evaluator
) -> None:
    text = f"\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b2J sent {TOKEN} and nvapi-1234567890\n" + "x" * 100_000
    evaluator.answers = [(200, zipped(log_txt=text))]
    api.put(JOBS, evaljob(status=followed(**connect(api, evaluator.url))))
    _, out, _ = run("logs", "qa-llama")
    assert out.startswith("red  ")
    assert not {"\x1b", "\x9b", "\x07"} & {*out}
    assert TOKEN not in out
    assert "nvapi-1" not in out
    assert len(out) < archive.MAX_LINE_CHARACTERS + 200


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((200, b"<html>"), "not a ZIP archive"),
        ((200, zipped(ZIP_BZIP2, log_txt="x" * 100)), "unknown compression"),
        ((404, b'{"detail": "no such job"}'), "has no log of remote job eval-1"),
        ((501, b""), "offers no logs"),
        ((401, b""), "Check the Secrets of the connection"),
        ((500, b""), "see --evaluator-url"),
    ],
)
def test_what_the_evaluator_does_not_give_is_said_in_one_line(
    api: ClusterApi, run: Run, evaluator: Evaluator, answer: tuple[int, bytes], message: str
) -> None:
    evaluator.answers = [answer]
    api.put(JOBS, evaljob(status=followed(**connect(api, evaluator.url))))
    code, out, err = run("logs", "qa-llama")
    assert code in {1, 4}
    assert (out, err.count("\n")) == ("", 1)
    assert message in err


def test_a_log_that_is_too_large_is_cut_and_said_so(
    api: ClusterApi, run: Run, evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_LOG_BYTES", 4)
    evaluator.answers = [(200, zipped(log_txt="a\nb\nc\nd\n"))]
    api.put(JOBS, evaljob(status=followed(**connect(api, evaluator.url))))
    code, out, err = run("logs", "qa-llama")
    assert (code, out) == (0, "a\nb\n")
    assert "are shown" in err


def test_redirects_are_not_followed(api: ClusterApi, run: Run, evaluator: Evaluator) -> None:
    evaluator.answers, evaluator.location = [(302, b"")], f"{evaluator.url}/elsewhere"
    api.put(JOBS, evaljob(status=followed(**connect(api, evaluator.url))))
    assert run("logs", "qa-llama")[0] == 1
    assert [path for path, _ in evaluator.requests] == [PATH]


def test_credentials_are_not_sent_to_another_evaluator(
    api: ClusterApi, run: Run, evaluator: Evaluator
) -> None:
    evaluator.answers = [(200, zipped(log_txt="line\n"))]
    used = connect(api, evaluator.url) | {
        "evaluator": {"url": "http://earlier.test", "connection": "team-a/prod"}
    }
    api.put(JOBS, evaljob(status=followed(**used)))
    code, _, err = run("logs", "qa-llama")
    assert code == 1
    assert "now points to" in err
    used = connect(api, "https://evaluator.test")
    api.put(JOBS, evaljob(status=followed(**used)))
    code, _, err = run("logs", "qa-llama", "--evaluator-url", "http://evaluator.test")
    assert code == 64
    assert "sent by https only" in err
    assert not evaluator.requests


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"observedGeneration": 1, "conditions": [condition("Ready", "False", "SecretNotReleased")]},
        {"observedGeneration": 0, "conditions": [condition("Ready", "True", "Connected")]},
    ],
)
def test_credentials_that_the_operator_has_not_accepted_are_not_sent(
    api: ClusterApi, run: Run, evaluator: Evaluator, status: dict[str, Any]
) -> None:
    evaluator.answers = [(200, zipped(log_txt="line\n"))]
    api.put(JOBS, evaljob(status=followed(**connect(api, evaluator.url))))
    api.objects["nemoevaluatorconnections", "team-a", "prod"]["status"] = status
    code, _, err = run("logs", "qa-llama")
    assert code == 1
    assert "so its credentials are not sent" in err
    assert not evaluator.requests


def test_an_evaluator_inside_the_cluster_is_reached_by_a_port_forward(api: ClusterApi, run: Run) -> None:
    used = connect(api, "http://evaluator.ops.svc:7331")
    api.put(JOBS, evaljob(status=followed(**used)))
    code, _, err = run("logs", "qa-llama")
    assert code == 1
    assert "`kubectl port-forward -n ops service/evaluator 7331:7331`" in err
    assert "--evaluator-url http://127.0.0.1:7331" in err


def test_the_missing_right_to_read_the_secret_is_named(
    api: ClusterApi, run: Run, evaluator: Evaluator
) -> None:
    evaluator.answers = [(200, zipped(log_txt="line\n"))]
    api.put(JOBS, evaljob(status=followed(**connect(api, evaluator.url))))
    api.forbidden = {"secrets"}
    code, _, err = run("logs", "qa-llama")
    assert code == 4
    assert "jane may not get secrets in namespace team-a" in err
    assert not evaluator.requests


def test_a_run_without_a_remote_job_has_no_log(api: ClusterApi, run: Run) -> None:
    api.put(JOBS, evaljob())
    code, _, err = run("logs", "qa-llama")
    assert code == 1
    assert "has no remote job: not reconciled yet. See " in err
