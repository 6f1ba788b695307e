"""Settings come from the environment; an option of the command line goes before its variable."""

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from nemo_eval_operator.cli import app
from nemo_eval_operator.settings import Settings


def test_the_default_is_nemos_port_on_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NVIDIA_EVALUATOR_URL", raising=False)

    assert str(Settings().evaluator_url) == "http://localhost:7331/"


def test_nvidias_variable_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NVIDIA_EVALUATOR_URL", "http://nemo.test:8000")

    assert str(Settings().evaluator_url) == "http://nemo.test:8000/"


def test_an_option_goes_before_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NVIDIA_EVALUATOR_URL", "http://nemo.test:8000")

    assert str(Settings(evaluator_url="http://other.test").evaluator_url) == "http://other.test/"


def test_the_settle_time_outlasts_a_request() -> None:
    with pytest.raises(ValidationError, match="settle_seconds must be longer"):
        Settings(settle_seconds=10, request_timeout_seconds=30)


def test_a_wrong_setting_is_named_without_a_traceback() -> None:
    result = CliRunner().invoke(app, ["run", "--evaluator-url", "nowhere"])

    assert result.exit_code == 2
    assert "evaluator_url" in result.output
    assert "Traceback" not in result.output


def test_settings_that_contradict_each_other_are_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEMO_SETTLE_SECONDS", "1")

    result = CliRunner().invoke(app, ["run"])

    assert result.exit_code == 2
    assert "settle_seconds must be longer" in result.output


def test_a_leader_has_to_give_up_before_another_takes_over() -> None:
    with pytest.raises(ValidationError, match="lease_duration_seconds must be longer"):
        Settings(lease_duration_seconds=7, lease_renew_deadline_seconds=7)


def test_a_selector_that_cannot_be_read_is_named() -> None:
    result = CliRunner().invoke(app, ["run", "--selector", "shard in one"])

    assert result.exit_code == 2
    assert "selector" in result.output
    assert "Traceback" not in result.output
