"""Generated pages in docs/reference are up to date and complete."""

import pytest

from nemo_eval_operator.resources.crd import KINDS
from nemo_eval_operator.settings import Settings
from testbed.reference import DIRECTORY, reference_pages
from testbed.reference.settings import variable

PAGES = reference_pages()


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_up_to_date(name: str) -> None:
    assert (DIRECTORY / name).read_text() == PAGES[name], f"{name} is stale: run `make generate`"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_field_of_spec_and_status_is_described(kind: type) -> None:
    page = PAGES[f"{kind.__name__.lower()}.md"]
    for part in ("spec", "status"):
        model = kind.model_fields[part].annotation  # type: ignore[attr-defined]
        for name, field in getattr(model, "model_fields", {}).items():
            assert f"`{field.alias or name}`" in page


def test_every_setting_is_described() -> None:
    for name in Settings.model_fields:
        assert f"`{variable(name)}`" in PAGES["settings.md"]


def test_every_command_is_described() -> None:
    for name in ("run", "results", "gate", "release-finalizers", "health", "version"):
        assert f"\n## {name}\n" in PAGES["cli.md"]


def test_labels_of_metrics_are_shown() -> None:
    assert "`evaluator_request_seconds{method,route,code}`" in PAGES["metrics.md"]
    assert "`jobs{phase}`" in PAGES["metrics.md"]
