"""What unit tests of several packages share."""

import pytest


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names no proxy; a test may name one."""
    # urllib ignores HTTP_PROXY in capitals where it may be a header that a CGI server passed on.
    monkeypatch.delenv("REQUEST_METHOD", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
