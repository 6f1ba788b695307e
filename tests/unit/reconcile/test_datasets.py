"""Rows of ConfigMaps are read only as far as one object may have them."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from nemo_eval_operator.kube import ConfigMap
from nemo_eval_operator.lifecycle.requests import UnusableDataset
from nemo_eval_operator.reconcile.datasets import DatasetReader
from tests.unit.lifecycle.objects import benchmark

ROW = json.dumps({"question": "x" * 600_000}) + "\n"


CYRILLIC = json.dumps({"question": "\u0436" * 300_000}, ensure_ascii=False) + "\n"
"""Two bytes a character, as etcd and the evaluator count them."""


@pytest.mark.parametrize("row", [ROW, CYRILLIC])
async def test_what_is_too_much_together_is_not_read_to_the_end(row: str) -> None:
    read: list[str] = []

    async def read_config_map(_: str, name: str) -> ConfigMap:
        read.append(name)
        return ConfigMap(uid="u", resource_version="1", texts={"rows.jsonl": row})

    kube: Any = SimpleNamespace(read_config_map=read_config_map)
    tasks = {
        f"task{n}": {
            "type": "data",
            "dataset": {"configMapRef": {"name": f"map-{n}", "key": "rows.jsonl"}},
            "metrics": {"em": {"type": "em", "params": {"references": ["a"]}}},
        }
        for n in range(16)
    }

    with pytest.raises(UnusableDataset, match=r"spec\.config\.tasks.*more than 1,048,576 bytes together"):
        await DatasetReader(kube).read(benchmark(config={"type": "custom", "tasks": tasks}))

    assert len(read) == 2
