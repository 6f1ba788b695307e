"""Every file format: what a row becomes, and how a file is refused that is not what it says it is."""

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nemo_local_evaluator.wire.errors import EvaluationError
from tests.unit.local_evaluator.reading import read

LARGE = 17 * 1024 * 1024


def parquet(path: Path, columns: dict[str, Any], **options: Any) -> None:
    pq.write_table(pa.table(columns), path, **options)


async def refusal(data: Path, name: str, content: bytes, **source: Any) -> str:
    (data / name).write_bytes(content)
    with pytest.raises(EvaluationError) as refused:
        await read(data, name, **source)
    return str(refused.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.json", b'\xef\xbb\xbf [ {"x": "1", "y": "a\\nb"} ,\n{"x": "2", "y": "c"}]\n'),
        ("rows.jsonl", b'\xef\xbb\xbf\n{"x": "1", "y": "a\\nb"}\r\n\n{"x": "2", "y": "c"}'),
        ("rows.NDJSON", b'{"x": "1", "y": "a\\nb"}\n{"x": "2", "y": "c"}\n'),
        ("rows.csv", b'\xef\xbb\xbfx,y\r\n1,"a\nb"\r\n\r\n2,c\r\n'),
        ("rows.csv", b'x,y\r1,"a\nb"\r2,c\r'),
        ("rows.csv", b'\n\r\nx,y\n1,"a\nb"\n2,c\n'),
        ("rows.tsv", b'x\ty\n1\t"a\nb"\n2\tc\n'),
    ],
)
async def test_formats_are_recognised_by_the_suffix(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert await read(tmp_path, name) == [{"x": "1", "y": "a\nb"}, {"x": "2", "y": "c"}]
    assert await read(tmp_path, name, limit=1) == [{"x": "1", "y": "a\nb"}]


async def test_json_rows_are_the_same_in_arrays_and_in_lines(tmp_path: Path) -> None:
    rows = [{"n": 2**70, "f": 1e300, "u": "\u2028é🙂", "deep": [[{"a": None}]], "t": True}] * 3
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    assert await read(tmp_path, "rows.json") == await read(tmp_path, "rows.jsonl") == rows


async def test_an_array_is_read_through_whatever_window_its_rows_straddle(tmp_path: Path) -> None:
    rows = [{"number": number, "text": "é" * (number * 7919 % 400_000)} for number in range(20)]
    (tmp_path / "rows.json").write_text(json.dumps(rows, ensure_ascii=False, indent=1))
    assert await read(tmp_path, "rows.json") == rows


@pytest.mark.parametrize(
    "content",
    [
        b'{"version": "1", "data": [{"x": 1}, {"x": 2}]}',
        b' {"x": [1, 2]} ',
    ],
)
async def test_an_object_may_hold_the_rows_or_their_columns(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rows.json").write_bytes(content)
    assert await read(tmp_path, "rows.json") == [{"x": 1}, {"x": 2}]


async def test_an_object_may_be_larger_than_a_row_of_an_array(tmp_path: Path) -> None:
    rows = [{"text": "x" * LARGE}, {"text": "y"}]
    (tmp_path / "rows.json").write_text(json.dumps({"data": rows}))
    assert await read(tmp_path, "rows.json") == rows


async def test_parquet_values_become_what_json_can_carry(tmp_path: Path) -> None:
    parquet(
        tmp_path / "rows.parquet",
        {
            "text": ["a", None],
            "number": [1, 2],
            "float": [float("nan"), float("-inf")],
            "moment": [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), None],
            "nanoseconds": pa.array([1_000_000_001, None], pa.timestamp("ns")),
            "day": [date(2026, 1, 2), None],
            "time": [time(3, 4, 5), None],
            "duration": [timedelta(minutes=1), None],
            "decimal": [Decimal("1.20"), None],
            "bytes": [b"text", b"\xff"],
            "map": pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int32())),
            "nested": [{"list": [date(2026, 1, 2)]}, None],
            "category": pa.array(["a", "b"]).dictionary_encode(),
        },
    )
    first, second = await read(tmp_path, "rows.parquet")
    assert first == {
        "text": "a",
        "number": 1,
        "float": None,
        "moment": "2026-01-02T03:04:05+00:00",
        "nanoseconds": "1970-01-01T00:00:01",
        "day": "2026-01-02",
        "time": "03:04:05",
        "duration": 60.0,
        "decimal": "1.20",
        "bytes": "text",
        "map": {"k": 1},
        "nested": {"list": ["2026-01-02"]},
        "category": "a",
    }
    assert second["float"] is None
    assert second["bytes"] == "/w=="
    json.dumps([first, second], allow_nan=False)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.json", b"", "'rows.json' is not a JSON array of objects"),
        ("rows.json", b'{"x": 1}', "is not a JSON array of objects"),
        (
            "rows.json",
            b'{"x": [1, 2], "y": [1]}',
            "nor an object with one in 'data' or with columns of one length",
        ),
        ("rows.json", b'{"data": [{"x": 1}, 2]}', "row 2 is a number, not an object"),
        ("rows.json", b'{"data": [{"x": 1}]} []', "goes on after the end of its array or object"),
        ("rows.json", b"{}", "has no rows"),
        ("rows.json", b"[]", "has no rows"),
        ("rows.json", b"[{]", "row 1 is not JSON: Expecting property name"),
        ("rows.json", b'[{"x": 1}, {"x": 2}', "row 2 is followed by neither a comma nor the end"),
        ("rows.json", b'[{"x": 1},]', "row 2 is not JSON"),
        ("rows.json", b'[{"x": 1} {"x": 2}]', "row 1 is followed by neither"),
        ("rows.json", b'[{"x": 1}] []', "goes on after the end of its array"),
        ("rows.json", b'[{"x": 1}, 2]', "row 2 is a number, not an object"),
        ("rows.json", b'[{"x": 1}, {"x": NaN}]', "row 2 is not JSON: NaN is not a JSON value"),
        ("rows.json", b'[{"x": "a"}, {"x": "\xe4"}]', "row 2 is not UTF-8: invalid continuation byte 0xe4"),
        ("rows.json", b'[{"x": "\xc3', "row 1 is not UTF-8: unexpected end of data 0xc3"),
        ("rows.jsonl", b"\n \n", "has no rows"),
        ("rows.jsonl", b'{"x": 1}\n\n{"x"\n', "row 2 is not JSON: Expecting ':' delimiter at character 6"),
        ("rows.jsonl", b'{"x": 1}\n[1]\n', "row 2 is an array, not an object"),
        ("rows.jsonl", b"null\n", "row 1 is null, not an object"),
        ("rows.jsonl", b'{"x": -Infinity}\n', "row 1 is not JSON: -Infinity is not a JSON value"),
        ("rows.jsonl", b'{"x": 1e999}\n', "row 1 is not JSON: 1e999 is too large for a number"),
        ("rows.jsonl", b'{"x": 1}\n{"x": "\xe4"}\n', "row 2 is not UTF-8: invalid continuation byte 0xe4"),
        ("rows.csv", b"", "has no rows"),
        ("rows.csv", b"x,y\n", "has no rows"),
        ("rows.csv", b"x,y\n1,2\n3\n", "row 2 has 1 columns, but the header has 2"),
        ("rows.csv", b"x,y\n1,2,3\n", "row 1 has 3 columns, but the header has 2"),
        ("rows.csv", b"x,y,x\n1,2,3\n", "has more than one column 'x'"),
        ("rows.csv", b'x\n1\n"2\n', "row 2 is not CSV: unexpected end of data"),
        ("rows.csv", b'x,"y\n', "'rows.csv' is not CSV"),
        ("rows.csv", b"x\n1\n\xe4\n", "row 2 is not UTF-8"),
        ("rows.tsv", b"x\ty\n1\n", "row 1 has 1 columns, but the header has 2"),
        ("rows.tsv", b'x\n"1\n', "row 1 is not TSV"),
        ("rows.parquet", b"x\n1\n", "'rows.parquet' is not Parquet"),
        ("rows.txt", b"x", "does not end with one of .json, .jsonl, .csv, .tsv, .parquet, .ndjson"),
    ],
)
async def test_a_bad_file_is_reported_with_its_row(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    assert message in await refusal(tmp_path, name, content)


@pytest.mark.parametrize(
    ("name", "before", "after"), [("rows.json", b"[", b"]"), ("rows.jsonl", b'{"x": 1}\n', b"\n")]
)
async def test_a_row_nested_too_deeply_is_refused(
    tmp_path: Path, name: str, before: bytes, after: bytes
) -> None:
    row = b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert "is not JSON: it is nested too deeply" in await refusal(tmp_path, name, before + row + after)
    row = b'{"x": ' + b"[" * 100 + b"]" * 100 + b"}"
    assert "more than 100 nested objects and lists" in await refusal(tmp_path, name, before + row + after)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("rows.json", b'[{"x": 1}, {"x": "', b'"}]'),
        ("rows.json", b'[{"x": 1}, {"x": "', b""),
        ("rows.jsonl", b'{"x": 1}\n{"x": "', b'"}\n'),
        ("rows.csv", b"x\n1\n", b"\n"),
        ("rows.csv", b'x\n1\n"\n\n', b'"\n'),
    ],
)
async def test_a_row_that_is_too_large_is_reported_with_its_number(
    tmp_path: Path, name: str, before: bytes, after: bytes
) -> None:
    assert "row 2 is larger than 16 MiB" in await refusal(tmp_path, name, before + b"a" * LARGE + after)


async def test_bad_bytes_are_reported_with_their_own_row_even_if_they_were_read_early(tmp_path: Path) -> None:
    good = b'{"x": 1}, ' * 100
    assert "row 101 is not UTF-8" in await refusal(tmp_path, "rows.json", b"[" + good + b'{"x": "\xff"}]')


async def test_a_bad_row_far_behind_is_found_when_the_file_is_opened(tmp_path: Path) -> None:
    content = b'{"x": 1}\n' * 9_998 + b"{\n"
    assert "row 9999 is not JSON" in await refusal(tmp_path, "rows.jsonl", content)
    assert len(await read(tmp_path, "rows.jsonl", limit=9_998)) == 9_998


async def test_long_values_are_read_in_every_format(tmp_path: Path) -> None:
    long = "é" * 1_000_000
    (tmp_path / "rows.csv").write_text(f"x\n{long}\n")
    (tmp_path / "rows.json").write_text(json.dumps([{"x": long}]))
    (tmp_path / "rows.jsonl").write_text(json.dumps({"x": long}))
    parquet(tmp_path / "rows.parquet", {"x": [long]})
    for name in ("rows.csv", "rows.json", "rows.jsonl", "rows.parquet"):
        assert await read(tmp_path, name) == [{"x": long}]


async def test_a_parquet_row_that_is_too_large_is_reported_with_its_number(tmp_path: Path) -> None:
    parquet(tmp_path / "rows.parquet", {"x": ["a"] * 3 + ["b" * LARGE]}, use_dictionary=False)
    with pytest.raises(EvaluationError, match="row 4 is larger than 16 MiB"):
        await read(tmp_path, "rows.parquet")


async def test_a_parquet_value_out_of_range_is_reported_with_its_row(tmp_path: Path) -> None:
    beyond_every_calendar = pa.array([0, 2**61], pa.timestamp("us"))
    parquet(tmp_path / "rows.parquet", {"x": beyond_every_calendar})
    with pytest.raises(EvaluationError, match="row 2 cannot be read: date value out of range"):
        await read(tmp_path, "rows.parquet")


async def test_parquet_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"])
    pq.write_table(table, tmp_path / "rows.parquet")
    with pytest.raises(EvaluationError, match="has more than one column 'x'"):
        await read(tmp_path, "rows.parquet")


async def test_a_damaged_parquet_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    parquet(path, {"x": [str(number) for number in range(10_000)]}, use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[100:5_000] = b"\xff" * 4_900
    assert "'rows.parquet' is not Parquet" in await refusal(tmp_path, "rows.parquet", bytes(content))


async def test_a_format_names_the_file_format_or_leaves_it_to_the_suffix(tmp_path: Path) -> None:
    (tmp_path / "rows.txt").write_text("x\n1\n")
    (tmp_path / "rows.jsonl").write_text('{"x": 1}\n')
    assert await read(tmp_path, "rows.txt", format="CSV") == [{"x": "1"}]
    assert await read(tmp_path, "rows.jsonl", format="squad") == [{"x": 1}]
    assert "give its format" in await refusal(tmp_path, "rows.txt", b"x", format="squad")
