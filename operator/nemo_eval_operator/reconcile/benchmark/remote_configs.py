"""Remote configs one by one: create, look, update, replace, delete, by whatever the server is able to do."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.evaluator.model import Conflicting, Missing, RemoteConfig, Unsupported
from nemo_eval_operator.lifecycle import Operation
from nemo_eval_operator.lifecycle.benchmark import BenchmarkFacts, ConfigGone, config_trouble
from nemo_eval_operator.lifecycle.job import BenchmarkUnusable
from nemo_eval_operator.lifecycle.requests import Tenancy, config_name, update_body
from nemo_eval_operator.lifecycle.steps import (
    CreateConfig,
    DeleteConfig,
    ObserveConfig,
    ReplaceConfig,
    UpdateConfig,
)
from nemo_eval_operator.resources import NemoBenchmark

__all__ = ["ConfigStep", "do_config_step", "operation_of", "trouble_with_config"]

ConfigStep = ObserveConfig | CreateConfig | UpdateConfig | ReplaceConfig | DeleteConfig


async def do_config_step(
    step: ConfigStep, client: EvaluatorClient, benchmark: NemoBenchmark, facts: BenchmarkFacts
) -> BenchmarkFacts:
    """Execute a step and return what is known of the benchmark's config afterwards. Raises EvaluatorError.

    A written config is read again: jobs are submitted while the config is as it was read then.
    """
    namespace, name = config_name(benchmark)
    match step:
        case ObserveConfig():
            return replace(facts, remote=await _observe(client, namespace, name))
        case CreateConfig():
            return await _create(client, namespace, name, facts)
        case UpdateConfig():
            return await _update(client, namespace, name, facts)
        case ReplaceConfig():
            try:
                await client.delete_config(namespace, name)
            except Conflicting:
                # In use: the update is what the evaluator will take for now.
                return replace(facts, replaced=True)
            await client.create_config(facts.desired)
            return replace(facts, remote=await _observe(client, namespace, name), replaced=True)
        case DeleteConfig():
            with suppress(Missing):
                await client.delete_config(namespace, name)
            return replace(facts, remote=ConfigGone(), deleted=True)


def operation_of(step: ConfigStep) -> Operation:
    """Return the operation that a step is for; a replacement fails where its creation does."""
    match step:
        case ObserveConfig():
            return Operation.READ_CONFIG
        case CreateConfig() | ReplaceConfig():
            return Operation.CREATE_CONFIG
        case UpdateConfig():
            return Operation.UPDATE_CONFIG
        case DeleteConfig():
            return Operation.DELETE_CONFIG


async def trouble_with_config(
    client: EvaluatorClient, benchmark: NemoBenchmark, tenancy: Tenancy
) -> BenchmarkUnusable | None:
    """Return why a job must not refer to the benchmark's config now. Raises EvaluatorError."""
    return config_trouble(benchmark, await _observe(client, *config_name(benchmark)), tenancy)


async def _observe(client: EvaluatorClient, namespace: str, name: str) -> RemoteConfig | ConfigGone:
    try:
        return await client.get_config(namespace, name)
    except Missing:
        return ConfigGone()


async def _create(
    client: EvaluatorClient, namespace: str, name: str, facts: BenchmarkFacts
) -> BenchmarkFacts:
    """Create the config. One that exists already, as after a POST whose answer was lost, is compared."""
    try:
        await client.create_config(facts.desired)
    except Conflicting:
        remote = await _observe(client, namespace, name)
        if isinstance(remote, ConfigGone):
            raise
        return replace(facts, remote=remote)
    return replace(facts, remote=await _observe(client, namespace, name), replaced=True)


async def _update(
    client: EvaluatorClient, namespace: str, name: str, facts: BenchmarkFacts
) -> BenchmarkFacts:
    """PATCH; where the server has none, the config is deleted and created in its place."""
    current = facts.remote.document if isinstance(facts.remote, RemoteConfig) else {}
    try:
        await client.update_config(namespace, name, update_body(facts.desired, current))
    except (Missing, Unsupported):
        with suppress(Missing):
            await client.delete_config(namespace, name)
        await client.create_config(facts.desired)
        return replace(facts, remote=await _observe(client, namespace, name), replaced=True)
    return replace(facts, remote=await _observe(client, namespace, name), updated=True)
