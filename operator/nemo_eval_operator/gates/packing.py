"""Evidence as it is kept: a JSON header with the sums of each score, and the items' scores, compressed.

Items are six bytes of a key and one score each: a bit where a task's scores are all 0 or 1, else a double.
Doubles are stored by planes, all first bytes and then all second ones, which compresses better. 10,000 items
with one score take 60 to 140 kB.
"""

from __future__ import annotations

import hashlib
import math
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .evidence import Evidence, ScoreEvidence
from .samples import KEY_CHARACTERS
from .statistics import Moments

__all__ = ["EvidenceUnreadable", "Packed", "pack", "unpack"]

MAX_HEADER_BYTES: Final = 200 * 1024
MAX_ITEMS_BYTES: Final = 700 * 1024
"""Of the two parts as they are kept: together they fit into a ConfigMap of 1 MiB."""

MAX_UNPACKED_BYTES: Final = 16 * 1024 * 1024
"""Of the items, uncompressed."""

MAX_SCORES: Final = 1_000
"""Kept of one run; a gate finds none of the others."""

SEPARATOR: Final = b"\0"
"""Between the two parts in what the digest is of; JSON has no such byte."""

KEY_BYTES: Final = KEY_CHARACTERS // 2
DOUBLE_BYTES: Final = 8


class EvidenceUnreadable(Exception):
    """What is kept is not evidence, or not the evidence that was kept; the message says why."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Evidence in two parts."""

    header: str
    items: bytes

    @property
    def digest(self) -> str:
        """SHA-256 of both parts."""
        both = self.header.encode() + SEPARATOR + self.items
        return f"sha256:{hashlib.sha256(both).hexdigest()}"


class _Score(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    value: float | None = None
    count: int | None = Field(None, ge=1)
    mean: float | None = None
    variance: float | None = None
    sums: bool = False
    nan: int = 0
    binary: bool = False
    stderr: float | None = None
    items: Literal["none", "bits", "doubles"] = "none"


class _Header(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1]
    keys: int = Field(ge=0)
    scores: list[_Score]


def pack(evidence: Evidence) -> Packed:
    """Return the evidence in a form that fits into a ConfigMap; of too many items the last scores' go."""
    scores = evidence.scores[:MAX_SCORES]
    kept = len(scores)
    while True:
        some = tuple(
            score if number < kept else replace(score, items={}) for number, score in enumerate(scores)
        )
        packed = _packed(some)
        if len(packed.header.encode()) > MAX_HEADER_BYTES:
            scores = scores[: len(scores) // 2]
            kept = min(kept, len(scores))
        elif len(packed.items) > MAX_ITEMS_BYTES:
            kept //= 2
        else:
            return packed


def _packed(scores: Sequence[ScoreEvidence]) -> Packed:
    keys = sorted({key for score in scores for key in score.items})
    header = _Header(version=1, keys=len(keys), scores=[_described(score) for score in scores])
    body = bytearray().join(bytes.fromhex(key) for key in keys)
    for score in scores:
        if score.items:
            body += _bits([key in score.items for key in keys])
            values = [score.items[key] for key in keys if key in score.items]
            body += _bits([value == 1 for value in values]) if _is_binary(values) else _planes(values)
        if len(body) > MAX_UNPACKED_BYTES:
            # Too large in any case: the caller leaves items out.
            return Packed(header.model_dump_json(exclude_defaults=True), bytes(MAX_ITEMS_BYTES + 1))
    return Packed(header.model_dump_json(exclude_defaults=True), zlib.compress(bytes(body), level=9))


def _described(score: ScoreEvidence) -> _Score:
    moments = score.moments
    values = score.items.values()
    return _Score(
        name=score.name,
        value=score.value,
        count=moments.count if moments else None,
        mean=moments.mean if moments else None,
        variance=moments.variance if moments and math.isfinite(moments.variance) else None,
        sums=score.has_sums,
        nan=score.nan_count,
        binary=score.is_binary,
        stderr=score.stderr,
        items="none" if not values else "bits" if _is_binary(values) else "doubles",
    )


def _is_binary(values: Iterable[float]) -> bool:
    return set(values) <= {0.0, 1.0}


def _bits(flags: Sequence[bool]) -> bytes:
    whole = bytearray((len(flags) + 7) // 8)
    for number, flag in enumerate(flags):
        if flag:
            whole[number // 8] |= 1 << number % 8
    return bytes(whole)


def _planes(values: Sequence[float]) -> bytes:
    plain = struct.pack(f">{len(values)}d", *values)
    return b"".join(plain[start::DOUBLE_BYTES] for start in range(DOUBLE_BYTES))


def unpack(packed: Packed, *, digest: str | None = None) -> Evidence:
    """Return the evidence that was packed. Raises EvidenceUnreadable.

    `digest`: that of the evidence as it was packed; None: unknown.
    """
    if digest is not None and packed.digest != digest:
        raise EvidenceUnreadable(f"it has the digest {packed.digest}, not {digest}")
    try:
        header = _Header.model_validate_json(packed.header)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise EvidenceUnreadable(f"its header is not evidence: {first['msg']}") from error
    body = _Body(_decompressed(packed.items))
    keys = [key.hex() for key in body.pieces(KEY_BYTES, header.keys)]
    scores = tuple(_score(described, keys, body) for described in header.scores)
    if body.left:
        raise EvidenceUnreadable(f"{body.left} bytes follow the last score")
    return Evidence(scores)


def _decompressed(content: bytes) -> bytes:
    reader = zlib.decompressobj()
    try:
        plain = reader.decompress(content, MAX_UNPACKED_BYTES)
    except zlib.error as error:
        raise EvidenceUnreadable(f"its items cannot be decompressed: {error}") from error
    if not reader.eof:
        raise EvidenceUnreadable("its items are cut off, or too many")
    return plain


def _score(described: _Score, keys: Sequence[str], body: _Body) -> ScoreEvidence:
    items: dict[str, float] = {}
    if described.items != "none":
        present = [key for key, flag in zip(keys, body.flags(len(keys)), strict=True) if flag]
        flags = described.items == "bits"
        values = map(float, body.flags(len(present))) if flags else body.doubles(len(present))
        items = dict(zip(present, values, strict=True))
    moments = None
    if described.count is not None and described.mean is not None:
        variance = math.nan if described.variance is None else described.variance
        moments = Moments(described.count, described.mean, variance)
    return ScoreEvidence(
        described.name,
        described.value,
        moments=moments,
        has_sums=described.sums,
        nan_count=described.nan,
        is_binary=described.binary,
        stderr=described.stderr,
        items=items,
    )


class _Body:
    """The uncompressed items, read from their beginning."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._content) - self._at

    def _take(self, size: int) -> bytes:
        if size > self.left:
            raise EvidenceUnreadable(f"{size} bytes of items expected, {self.left} left")
        self._at += size
        return self._content[self._at - size : self._at]

    def pieces(self, size: int, count: int) -> Iterator[bytes]:
        whole = self._take(size * count)
        return (whole[start : start + size] for start in range(0, len(whole), size))

    def flags(self, count: int) -> Iterator[bool]:
        whole = self._take((count + 7) // 8)
        return (bool(whole[number // 8] >> number % 8 & 1) for number in range(count))

    def doubles(self, count: int) -> tuple[float, ...]:
        planes = [self._take(count) for _ in range(DOUBLE_BYTES)]
        plain = b"".join(map(bytes, zip(*planes, strict=True)))
        values = struct.unpack(f">{count}d", plain)
        if not all(map(math.isfinite, values)):
            raise EvidenceUnreadable("a score is not finite")
        return values
