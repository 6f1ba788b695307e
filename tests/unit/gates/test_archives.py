"""download-results as any server may answer it: only samples of a bounded size are read from it."""

from __future__ import annotations

import io
import json
import tarfile
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZipFile

import pytest
from pydantic import JsonValue

from nemo_eval_operator.gates import evidence_of, samples_in
from nemo_eval_operator.gates.archives import MAX_ENTRIES, MAX_FILES, MAX_LINE_BYTES, MAX_READ_BYTES
from tests.unit.gates.documents import document, stats

SCORES = [1.0, 0.0, 1.0, 1.0]
MIB = 1024**2


def as_it_is(value: JsonValue) -> JsonValue:
    return value


def lines(scores: list[float], *, prefix: str = "question") -> bytes:
    samples = (
        {"item": {"question": f"{prefix} {number}"}, "scores": {"answered": {"string-check": score}}}
        for number, score in enumerate(scores)
    )
    return b"".join(json.dumps(sample).encode() + b"\n" for sample in samples)


def archive(files: dict[str, bytes], *, compression: int = ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", compression) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return buffer.getvalue()


def items(content: bytes) -> list[str]:
    """Tasks whose items the archive has the scores of."""
    found = evidence_of(document(stats(SCORES)), samples_in(content, as_it_is))
    return [score.name for score in found.scores if score.has_all_items]


def test_the_samples_of_the_whole_run_make_its_evidence_complete() -> None:
    assert not items(archive({}))
    assert items(archive({"samples/qa.jsonl": lines(SCORES)})) == ["qa/answered/string-check"]


@pytest.mark.parametrize(
    "name",
    ["qa.jsonl", "other/qa.jsonl", "../samples/qa.jsonl", "/samples/qa.jsonl", "samples/qa.json", "samples/"],
)
def test_files_elsewhere_are_not_read(name: str) -> None:
    assert samples_in(archive({name: lines(SCORES)}), as_it_is) == {}


def test_a_path_is_only_the_name_of_a_task_and_nothing_is_written() -> None:
    found = samples_in(archive({"samples/..%2F..%2Fetc%2Fpasswd.jsonl": lines(SCORES)}), as_it_is)

    assert list(found) == ["../../etc/passwd"]


def tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as made:
        made.addfile(tarfile.TarInfo("samples/qa.jsonl"), io.BytesIO(b""))
    return buffer.getvalue()


WHOLE = archive({"samples/qa.jsonl": lines(SCORES)})


def encrypted() -> bytes:
    """The archive with the flag of encryption set, in both headers of its one file."""
    content = bytearray(WHOLE)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>not found</html>", WHOLE[: len(WHOLE) // 2], WHOLE[:-8], tar(), encrypted()],
    ids=["nothing", "a page", "half of it", "cut off", "a tar archive", "encrypted"],
)
def test_what_is_not_such_an_archive_has_no_samples(content: bytes) -> None:
    assert samples_in(content, as_it_is) == {}


def test_damaged_content_has_no_samples() -> None:
    content = bytearray(WHOLE)
    start = content.index(b"samples/qa.jsonl") + len("samples/qa.jsonl")
    content[start : start + 20] = b"\xff" * 20

    assert samples_in(bytes(content), as_it_is) == {}


@pytest.mark.parametrize("compression", [ZIP_BZIP2, ZIP_LZMA])
def test_a_compression_without_a_bound_of_memory_is_not_read(compression: int) -> None:
    assert samples_in(archive({"samples/qa.jsonl": lines(SCORES)}, compression=compression), as_it_is) == {}


def test_an_archive_of_very_many_files_is_not_opened() -> None:
    others = dict.fromkeys((str(number) for number in range(MAX_ENTRIES)), b"")

    assert samples_in(archive(others | {"samples/qa.jsonl": lines(SCORES)}), as_it_is) == {}


@pytest.mark.parametrize(
    "content",
    [b"{" * 1000 + b"\n", b"[" * 100_000 + b"\n", b"not JSON\n", b" " * (MAX_LINE_BYTES + 1), b"\xff\xfe\n"],
    ids=["no object", "deep", "no JSON", "a long line", "no text"],
)
def test_a_file_with_a_line_that_cannot_be_read_is_left_out_and_others_are_not(content: bytes) -> None:
    files = {"samples/bad.jsonl": lines(SCORES) + content, "samples/qa.jsonl": lines(SCORES)}

    assert list(samples_in(archive(files), as_it_is)) == ["qa"]


def test_a_bomb_is_read_up_to_a_bound() -> None:
    """128 MiB of blank lines and more take 0.2 MB compressed; each counts by its uncompressed bytes."""
    line = b'""' + b" " * (MAX_LINE_BYTES - 3) + b"\n"
    bomb = line * (MAX_READ_BYTES // len(line) + 2)
    content = archive({"samples/bomb.jsonl": bomb, "samples/qa.jsonl": lines(SCORES)})
    assert len(content) < MIB

    assert samples_in(content, as_it_is) == {}


def test_more_files_than_a_run_has_tasks_are_not_read() -> None:
    files = {f"samples/{number}.jsonl": lines([1.0]) for number in range(MAX_FILES + 5)}

    assert len(samples_in(archive(files), as_it_is)) == MAX_FILES


def test_known_secrets_are_masked_before_an_item_is_identified() -> None:
    def hide(value: JsonValue) -> JsonValue:
        return json.loads(json.dumps(value).replace("hunter2", "***"))  # type: ignore[no-any-return]

    def keys(prefix: str) -> object:
        content = archive({"samples/qa.jsonl": lines(SCORES, prefix=prefix)})
        return evidence_of(document(stats(SCORES)), samples_in(content, hide))

    assert keys("hunter2") == keys("***")
