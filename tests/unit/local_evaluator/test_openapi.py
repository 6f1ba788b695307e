"""What /openapi.json says is what a generator of requests understands."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import JsonValue

from nemo_local_evaluator.app import create_app
from nemo_local_evaluator.settings import Settings

BOUNDS_OF_PYDANTIC = {"ge", "gt", "le", "lt", "min_length", "max_length", "multiple_of"}
"""Keywords that pydantic writes where JSON Schema has no equivalent; clients ignore them."""


def _keywords(node: JsonValue) -> Iterator[str]:
    match node:
        case dict():
            for key, value in node.items():
                if not isinstance(value, dict):  # else it names a property: filter[created_at][gt]
                    yield key
                yield from _keywords(value)
        case list():
            for value in node:
                yield from _keywords(value)
        case _:
            return


def test_every_bound_is_said_in_the_words_of_json_schema() -> None:
    document = create_app(Settings(data=Path())).openapi()

    assert not BOUNDS_OF_PYDANTIC & set(_keywords(document))


def test_a_number_of_retries_is_not_negative() -> None:
    schemas = create_app(Settings(data=Path())).openapi()["components"]["schemas"]

    assert {"type": "integer", "minimum": 0} in schemas["Params"]["properties"]["max_retries"]["anyOf"]
