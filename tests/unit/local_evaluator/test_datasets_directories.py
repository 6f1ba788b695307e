"""Datasets that are directories: the file that is meant, the parts of a split, and several files together."""

from pathlib import Path
from typing import Any

import pytest

from nemo_local_evaluator.datasets import DatasetSource
from nemo_local_evaluator.wire.errors import EvaluationError
from tests.unit.local_evaluator.reading import read, reader, rows_of


def write(data: Path, *names: str) -> None:
    """Write files beneath `folder`, each with one row that contains its name."""
    for name in names:
        path = data / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"name\n{name}\n" if path.suffix == ".csv" else f'{{"name": "{name}"}}\n')


async def names(data: Path, **source: Any) -> list[str]:
    return [row["name"] for row in await read(data, "file://folder/", **source)]


async def refusal(data: Path, **source: Any) -> str:
    with pytest.raises(EvaluationError) as refused:
        await names(data, **source)
    return str(refused.value)


async def test_the_only_file_that_can_be_read_is_the_dataset(tmp_path: Path) -> None:
    write(tmp_path, "README.md", "data/rows.jsonl", ".cache/rows.jsonl", ".hidden.jsonl")
    assert await names(tmp_path) == ["data/rows.jsonl"]


async def test_one_of_several_files_has_to_be_named(tmp_path: Path) -> None:
    write(tmp_path, "b.jsonl", "a.csv")
    assert "has a.csv, b.jsonl: name one of them, or a split" in await refusal(tmp_path)
    assert "has a.csv, b.jsonl: name one of them, or a split" in await refusal(tmp_path, split="")
    assert await names(tmp_path, format="csv") == ["a.csv"]
    assert "has no file that ends with .parquet" in await refusal(tmp_path, format="parquet")


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        (["test.jsonl", "train.jsonl", "test-old.jsonl"], ["test.jsonl"]),
        (["data/test.jsonl", "data/train.jsonl"], ["data/test.jsonl"]),
        (
            ["test-00001-of-00002.jsonl", "test-00000-of-00002.jsonl", "train-00000-of-00001.jsonl"],
            ["test-00000-of-00002.jsonl", "test-00001-of-00002.jsonl"],
        ),
        (["test-a.jsonl", "test-b.jsonl", "train.jsonl"], ["test-a.jsonl", "test-b.jsonl"]),
        (["test/1.jsonl", "test/0.jsonl", "train/0.jsonl"], ["test/0.jsonl", "test/1.jsonl"]),
    ],
)
async def test_a_split_is_found_by_the_names_in_use(
    tmp_path: Path, files: list[str], chosen: list[str]
) -> None:
    write(tmp_path, *files)
    assert await names(tmp_path, split="test") == chosen


async def test_a_missing_or_incomplete_split_is_reported(tmp_path: Path) -> None:
    write(tmp_path, "a/test.jsonl", "b/test.jsonl", "c/part-00000-of-00002.jsonl")
    assert "has no split 'dev', but a/test.jsonl, b/test.jsonl, c/part" in await refusal(
        tmp_path, split="dev"
    )
    assert "has a/test.jsonl, b/test.jsonl: name one of them" in await refusal(tmp_path, split="test")
    assert "has only 1 of 2 parts: c/part-00000" in await refusal(tmp_path, split="part")
    write(tmp_path, "c/part.jsonl")
    assert "part-00000-of-00002.jsonl, c/part.jsonl: name one" in await refusal(tmp_path, split="part")


async def test_rows_are_numbered_in_the_part_they_are_in(tmp_path: Path) -> None:
    write(tmp_path, "test-00000-of-00002.jsonl", "test-00001-of-00002.jsonl")
    (tmp_path / "folder" / "test-00001-of-00002.jsonl").write_text('{"x": 1}\n{\n')
    assert "'test-00001-of-00002.jsonl', row 2 is not JSON" in await refusal(tmp_path)


async def test_files_that_belong_together_are_opened_by_name(tmp_path: Path) -> None:
    write(tmp_path, "corpus.jsonl", "queries.jsonl")
    (tmp_path / "folder" / "qrels").mkdir()
    (tmp_path / "folder" / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\n")
    async with reader(tmp_path) as datasets:
        source = DatasetSource(files_url="file://folder/", format="beir")
        datasets.check_directory(source)
        directory = await datasets.directory(source)
        assert directory.names == {"corpus.jsonl", "queries.jsonl", "qrels/test.tsv"}
        assert await directory.path("corpus.jsonl") == tmp_path / "folder" / "corpus.jsonl"
        judgements = await directory.open("qrels/test.tsv")
        assert await rows_of(judgements) == [{"query-id": "q1", "corpus-id": "d1", "score": "1"}]
        with pytest.raises(EvaluationError, match=r"has no file 'absent\.jsonl'"):
            await directory.open("absent.jsonl")


async def test_no_directory_leads_out_of_those_allowed(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    write(inside, "rows.jsonl")
    write(outside, "secret.jsonl")
    (inside / "folder" / "secret.jsonl").symlink_to(outside / "folder" / "secret.jsonl")
    (inside / "linked").symlink_to(outside / "folder")
    (inside / "folder" / "circle.jsonl").symlink_to("circle.jsonl")
    async with reader(inside) as datasets:
        directory = await datasets.directory(DatasetSource(files_url="file://folder"))
        assert directory.names == {"rows.jsonl"}
        for leading_out in ("file://linked", "file://../outside/folder", f"file://{outside}/folder"):
            with pytest.raises(EvaluationError, match="is outside the directories allowed"):
                datasets.check_directory(DatasetSource(files_url=leading_out))
    assert await names(inside) == ["rows.jsonl"]


@pytest.mark.parametrize("files_url", ["file://rows.jsonl", "http://data.test/rows.jsonl"])
async def test_a_file_is_no_directory(tmp_path: Path, files_url: str) -> None:
    (tmp_path / "rows.jsonl").write_text("{}\n")
    async with reader(tmp_path) as datasets:
        with pytest.raises(EvaluationError, match="is not a directory"):
            datasets.check_directory(DatasetSource(files_url=files_url))


async def test_a_directory_of_ten_thousand_files_is_no_dataset(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(10_001):
        (folder / str(number)).touch()
    assert "has more than 10000 files" in await refusal(tmp_path)
