"""README and docs: links lead somewhere, tables are whole, every setting is documented."""

import re
from pathlib import Path

import pytest

from nemo_eval_operator.plugin.run_table import COLUMNS as PLUGIN_COLUMNS
from nemo_eval_operator.resources.crd import KINDS
from nemo_eval_operator.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
SETTINGS = (ROOT / "docs" / "reference" / "settings.md").read_text()


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    """Without code, where brackets and bars mean other things."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    without_code = re.sub(r"`[^`\n]*`", "code", prose(page))
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        aim = page.parent / path if path else page
        assert aim.exists(), target
        assert not anchor or anchor in anchors(aim), target


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_row_of_a_table_has_as_many_cells_as_its_head(page: Path) -> None:
    columns = None
    for line in prose(page).splitlines():
        if not line.startswith("|"):
            columns = None
            continue
        cells = len(re.findall(r"(?<!\\)\|", line)) - 1
        columns = columns or cells
        assert cells == columns, line


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_is_documented(field: str) -> None:
    variable = "NVIDIA_EVALUATOR_URL" if field == "evaluator_url" else f"NEMO_{field.upper()}"

    assert f"`{variable}`" in SETTINGS


def test_every_documented_variable_is_a_setting() -> None:
    variables = set(re.findall(r"`NEMO_([A-Z_]+)`", SETTINGS))

    assert {variable.lower() for variable in variables} <= set(Settings.model_fields)


def test_outputs_of_kubectl_get_have_todays_columns() -> None:
    """The README shows benchmarks and jobs, the page about connections those, that of the plugin runs."""
    shown = {
        tuple(line.split())
        for page in PAGES
        for line in page.read_text().splitlines()
        if line.startswith("NAME ")
    }

    printed = {("NAME", *(c.name.upper() for c in kind.COLUMNS if c.priority == 0)) for kind in KINDS}
    of_plugin = shown - printed
    assert shown - of_plugin == printed
    assert of_plugin
    # It leaves out columns without values.
    assert {tuple(name for name in PLUGIN_COLUMNS if name in row) for row in of_plugin} == of_plugin
