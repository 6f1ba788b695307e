"""Values of options that are written as KEY=VALUE: sampling parameters and labels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from math import isfinite
from typing import Final, NoReturn

from pydantic import ConfigDict, JsonValue, ValidationError

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.resources import SamplingParams
from nemo_eval_operator.resources.meta import DNS_SUBDOMAIN
from nemo_eval_operator.validation import first_problem

from .exit_codes import CommandFailed, ExitCode

__all__ = ["labels_of", "sampling_params_of"]

LABEL: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
"""Name or value of a label, as the API server checks it."""

MAX_PREFIX_CHARACTERS: Final = 253
"""Of what stands before the slash of a label's key."""


class _SamplingParams(SamplingParams):
    model_config = ConfigDict(extra="forbid")


def sampling_params_of(given: Iterable[str], before: JsonObject) -> JsonObject:
    """Return the sampling parameters `before` with those given: JSON values, or else texts; null removes one.

    Raises CommandFailed.
    """
    found = {**before}
    for key, value in _pairs(given, "--sampling-params"):
        found[key] = _json(value)
    set_ones = {key: value for key, value in found.items() if value is not None}
    try:
        return _SamplingParams.model_validate(set_ones, strict=True).to_request()
    except ValidationError as error:
        problem = first_problem(error, _SamplingParams)
        raise CommandFailed(f"--sampling-params {problem}", ExitCode.USAGE) from error


def _json(text: str) -> JsonValue:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(constant)

    try:
        value: JsonValue = json.loads(text, parse_constant=refuse)
    except ValueError:
        return text
    if not isinstance(value, float):
        return value
    if not isfinite(value):
        return text
    # The API server writes 1.0 as 1, and runs are compared by what it has written.
    return int(value) if value.is_integer() else value


def labels_of(given: Iterable[str]) -> dict[str, str]:
    """Return the labels of KEY=VALUE,KEY=VALUE, as kubectl reads them. Raises CommandFailed."""
    labels: dict[str, str] = {}
    for key, value in _pairs((one for words in given for one in words.split(",")), "--labels"):
        prefix, slash, name = key.rpartition("/")
        if not LABEL.fullmatch(name) or (slash and not _is_prefix(prefix)):
            raise CommandFailed(f"--labels: {key!r} cannot be the key of a label", ExitCode.USAGE)
        if value and not LABEL.fullmatch(value):
            raise CommandFailed(
                f"--labels: {value!r} cannot be the value of {key}: use at most 63 letters, digits, -, _ and "
                ". that begin and end with a letter or digit",
                ExitCode.USAGE,
            )
        labels[key] = value
    return labels


def _is_prefix(text: str) -> bool:
    return len(text) <= MAX_PREFIX_CHARACTERS and re.fullmatch(DNS_SUBDOMAIN, text) is not None


def _pairs(given: Iterable[str], option: str) -> Iterable[tuple[str, str]]:
    for one in given:
        key, equals, value = one.partition("=")
        if not equals or not key:
            raise CommandFailed(f"{option}: {one!r} has to be KEY=VALUE", ExitCode.USAGE)
        yield key, value
