"""deploy/install.yaml is what `make generate` makes of its parts."""

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def documents(path: Path) -> list[object]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def test_install_manifest_is_fresh() -> None:
    parts = [*sorted((ROOT / "crds").glob("*.yaml")), ROOT / "deploy" / "operator.yaml"]

    expected = [document for part in parts for document in documents(part)]

    assert documents(ROOT / "deploy" / "install.yaml") == expected, "run `make generate`"
