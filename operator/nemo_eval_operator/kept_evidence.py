"""Reads evidence and configs of runs back from the ConfigMaps that keep them, for gates and comparisons."""

from __future__ import annotations

import asyncio
import logging

from pydantic import ValidationError

from nemo_eval_operator.gates import (
    CriterionReason,
    Evidence,
    EvidenceUnreadable,
    Packed,
    evidence_of,
    unpack,
)
from nemo_eval_operator.json_types import JSON_OBJECT, JsonObject
from nemo_eval_operator.kube import KubeClient, KubeRefused
from nemo_eval_operator.lifecycle.job import HEADER_KEY, ITEMS_KEY
from nemo_eval_operator.lifecycle.requests import CONFIG_KEY, recorded_config
from nemo_eval_operator.resources import EvidenceRef, ResultsRef
from nemo_eval_operator.traces import trace_of

__all__ = ["EvidenceMissing", "load_config", "load_evidence"]

logger = logging.getLogger(__name__)


class EvidenceMissing(Exception):
    """The evidence is missing or was replaced, with the reason of the condition."""

    def __init__(self, reason: CriterionReason, message: str) -> None:
        self.reason = reason
        super().__init__(message)


async def load_evidence(
    kube: KubeClient, namespace: str, evidence: EvidenceRef | None, results: ResultsRef | None
) -> Evidence:
    """Return the evidence of a run; of one that has none kept, that of its results document.

    Raises EvidenceMissing, KubeError.
    """
    if evidence is not None:
        return await _kept(kube, namespace, evidence)
    if results is None or results.config_map is None or results.key is None:
        raise EvidenceMissing(CriterionReason.EVIDENCE_MISSING, "the run has neither evidence nor results")
    text = await _text(kube, namespace, results.config_map, results.key)
    try:
        document = await asyncio.to_thread(JSON_OBJECT.validate_json, text)
    except ValidationError as error:
        message = f"ConfigMap {results.config_map} has no results document under {results.key}"
        raise EvidenceMissing(CriterionReason.EVIDENCE_UNREADABLE, message) from error
    try:
        return await asyncio.to_thread(evidence_of, document)
    except (ArithmeticError, ValueError) as error:
        logger.error("evidence cannot be made: please report it: %s", trace_of(error))  # noqa: TRY400
        message = f"the results document in ConfigMap {results.config_map} cannot be used as evidence"
        raise EvidenceMissing(CriterionReason.EVIDENCE_UNREADABLE, message) from error


async def load_config(
    kube: KubeClient, namespace: str, results: ResultsRef | None, digest: str | None
) -> JsonObject | None:
    """Return the config that a run measured; None where what is kept is not the whole config of this hash.

    Raises KubeError where Kubernetes does not answer.
    """
    if results is None or results.config_map is None:
        return None
    try:
        found = await kube.read_config_map(namespace, results.config_map)
    except KubeRefused:
        return None
    return None if found is None else recorded_config(found.texts.get(CONFIG_KEY), digest)


async def _text(kube: KubeClient, namespace: str, name: str, key: str) -> str:
    found = await kube.read_config_map(namespace, name)
    if found is None or key not in found.texts:
        what = f"ConfigMap {name} is not there" if found is None else f"ConfigMap {name} has no {key}"
        raise EvidenceMissing(CriterionReason.EVIDENCE_MISSING, what)
    return found.texts[key]


async def _kept(kube: KubeClient, namespace: str, evidence: EvidenceRef) -> Evidence:
    name = evidence.config_map
    found = await kube.read_config_map(namespace, name)
    if found is None:
        raise EvidenceMissing(CriterionReason.EVIDENCE_MISSING, f"ConfigMap {name} is not there")
    header, items = found.texts.get(HEADER_KEY), found.content_of(ITEMS_KEY)
    if header is None or items is None:
        raise EvidenceMissing(CriterionReason.EVIDENCE_UNREADABLE, f"ConfigMap {name} has no evidence in it")
    try:
        return await asyncio.to_thread(unpack, Packed(header, items), digest=evidence.digest)
    except EvidenceUnreadable as error:
        raise EvidenceMissing(CriterionReason.EVIDENCE_UNREADABLE, f"ConfigMap {name}: {error}") from error
