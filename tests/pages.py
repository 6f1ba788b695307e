"""The project's pages in Markdown, and the blocks of code in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from typing_extensions import override

__all__ = [
    "DOCS",
    "GROUP",
    "PAGES",
    "ROOT",
    "Block",
    "Command",
    "blocks",
    "commands",
    "manifests",
    "page_name",
]

ROOT: Final = Path(__file__).parent.parent
DOCS: Final = ROOT / "docs"
PAGES: Final = [
    *sorted(ROOT.glob("*.md")),
    ROOT / "local-evaluator" / "README.md",
    *sorted(DOCS.rglob("*.md")),
]
GROUP: Final = "evaluator.nemo.dev/"

_BLOCK: Final = re.compile(r"^```(\w*)(?: title=\"([^\"]+)\")?\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the name of the file that it shows (`title="..."`)."""

    page: Path
    line: int
    language: str
    title: str | None
    text: str

    @override
    def __str__(self) -> str:
        return f"{page_name(self.page)}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A command behind a prompt, with its continuation lines, and the output that the page shows below it."""

    block: Block
    text: str
    output: str

    @override
    def __str__(self) -> str:
        return f"{self.block}: {self.text}"


def page_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> Iterator[Block]:
    """Return the fenced blocks of a page, in order."""
    text = page.read_text()
    for match in _BLOCK.finditer(text):
        language, title, content = match.groups()
        yield Block(page, text[: match.start()].count("\n") + 1, language, title, content)


def commands(page: Path) -> Iterator[Command]:
    """Return the commands of the page's blocks of language `console`."""
    for block in blocks(page):
        if block.language == "console":
            for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
                text, _, output = _joined(part).partition("\n")
                yield Command(block, re.sub(r"\s+#\s.*", "", text).strip(), output)


def _joined(part: str) -> str:
    return re.sub(r"\\\n\s*", "", part)


def manifests(block: Block) -> list[Mapping[str, Any]]:
    """Return the Kubernetes manifests of a block in YAML; empty where it shows only a part of one."""
    if block.language != "yaml":
        return []
    documents = [document for document in yaml.safe_load_all(block.text) if isinstance(document, dict)]
    return [document for document in documents if "apiVersion" in document and "kind" in document]
