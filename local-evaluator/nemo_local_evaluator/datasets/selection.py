"""Selection of the files of a directory that are the dataset, by their names alone; no I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Final

from .formats import SUFFIXES, Format, suffix_format
from .refusals import bad_file

__all__ = ["select"]

_SHARD: Final = re.compile(r"-\d{5}-of-(\d{5})$")
"""Suffix of names that Hugging Face's `datasets` writes: test-00000-of-00003.parquet."""
_MAX_NAMED: Final = 10


def select(names: Sequence[str], *, split: str | None, form: Format | None, directory: str) -> list[str]:
    """The one file that can be read, or the one that is called as the split; all parts of it, in order.

    `names` are relative to the directory. Raises EvaluationError, saying what was found, where none fits,
    where several do, and where a part is missing.
    """
    usable = sorted(name for name in names if suffix_format(name) in ([form] if form else list(Format)))
    if not usable:
        raise bad_file(directory, f"has no file that ends with {f'.{form}' if form else SUFFIXES}")
    if not split:
        return _one(usable, of=_dataset, directory=directory, advice="name one of them, or a split")
    rules: list[tuple[Callable[[PurePosixPath, str], bool], Callable[[PurePosixPath], object]]] = [
        (lambda path, split: _SHARD.sub("", path.stem) == split, _dataset),
        (lambda path, split: path.stem.startswith(f"{split}-"), _folder),
        (lambda path, split: path.parent.name == split, _folder),
    ]
    for belongs, of in rules:
        if found := [name for name in usable if belongs(PurePosixPath(name), split)]:
            return _one(found, of=of, directory=directory, advice="name one of them")
    raise bad_file(directory, f"has no split {split!r}, but {_listed(usable)}")


def _one(
    names: list[str], *, of: Callable[[PurePosixPath], object], directory: str, advice: str
) -> list[str]:
    if len({of(PurePosixPath(name)) for name in names}) > 1:
        raise bad_file(directory, f"has {_listed(names)}: {advice}")
    shard = _SHARD.search(PurePosixPath(names[0]).stem)
    if shard and len(names) != int(shard[1]):
        raise bad_file(directory, f"has only {len(names)} of {int(shard[1])} parts: {_listed(names)}")
    return names


def _dataset(path: PurePosixPath) -> object:
    return path.parent, _SHARD.sub("", path.stem), path.suffix, bool(_SHARD.search(path.stem))


def _folder(path: PurePosixPath) -> object:
    return path.parent, path.suffix


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return ", ".join(names[:_MAX_NAMED]) + more
