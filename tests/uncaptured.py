"""Output that the person who runs the tests sees at once."""

import contextlib

import pytest

__all__ = ["uncaptured"]


def uncaptured(config: pytest.Config) -> contextlib.AbstractContextManager[None]:
    """Show what is printed meanwhile: builds take minutes, and must not look like a hanging test."""
    capture = config.pluginmanager.getplugin("capturemanager")
    return capture.global_and_fixture_disabled() if capture else contextlib.nullcontext()
