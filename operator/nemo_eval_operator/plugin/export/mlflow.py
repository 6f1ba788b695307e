"""MLflow's tracking server by its REST API 2.0: https://mlflow.org/docs/latest/rest-api.html.

Sending the same attempt twice changes nothing: a run is found by its tag, a metric with the same step and
time is kept once, and artifacts are replaced.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import quote, urlsplit

import httpx
from pydantic import BaseModel, Field, JsonValue, ValidationError

from nemo_eval_operator.evaluator.model import readable
from nemo_eval_operator.json_types import JsonObject

from .mapping import UID_TAG, Metric, Tracked

__all__ = ["MlflowError", "MlflowServer", "credentials_in"]

TIMEOUT_SECONDS: Final = 30.0
MAX_TRIES: Final = 4
FIRST_PAUSE_SECONDS: Final = 0.5
"""Pause before the second try; doubled before each further one, with jitter."""

PASSING: Final = frozenset({429, 502, 503, 504})
"""Status codes of answers after which a request is repeated."""

BATCH: Final = 90
"""Parameters, tags or metrics of one request: MLflow takes 100 parameters and 100 tags."""

MAX_MESSAGE_CHARACTERS: Final = 300

PROXIED: Final = "mlflow-artifacts"
"""Scheme of artifacts that the server stores itself; others it stores where only its clients have access."""

AnswerT = TypeVar("AnswerT", bound=BaseModel)


class MlflowError(Exception):
    """The server cannot be used; the message says why."""


class _Experiment(BaseModel):
    experiment_id: str


class _ExperimentAnswer(BaseModel):
    experiment: _Experiment


class _Info(BaseModel):
    run_id: str
    artifact_uri: str = ""


class _Pair(BaseModel):
    key: str
    value: str = ""


class _Data(BaseModel):
    params: list[_Pair] = Field(default_factory=list)


class _Run(BaseModel):
    info: _Info
    data: _Data = Field(default_factory=_Data)


class _RunAnswer(BaseModel):
    run: _Run


class _Runs(BaseModel):
    runs: list[_Run] = Field(default_factory=list)


class _Empty(BaseModel):
    pass


def credentials_in(environment: Mapping[str, str]) -> httpx.Auth | dict[str, str] | None:
    """Return what MLflow's own client takes from MLFLOW_TRACKING_TOKEN, or _USERNAME and _PASSWORD."""
    if token := environment.get("MLFLOW_TRACKING_TOKEN"):
        return {"Authorization": f"Bearer {token}"}
    user = environment.get("MLFLOW_TRACKING_USERNAME")
    if user is None:
        return None
    return httpx.BasicAuth(user, environment.get("MLFLOW_TRACKING_PASSWORD", ""))


class MlflowServer:
    """A tracking server. All methods raise MlflowError."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    @classmethod
    def at(cls, uri: str, credentials: httpx.Auth | dict[str, str] | None = None) -> MlflowServer:
        """Return the server with this tracking URI."""
        headers = credentials if isinstance(credentials, dict) else None
        auth = credentials if isinstance(credentials, httpx.Auth) else None
        try:
            url = httpx.URL(uri.rstrip("/"))
        except httpx.InvalidURL as error:
            raise MlflowError(f"the tracking URI is not a URL: {error}") from error
        if url.scheme not in {"http", "https"} or not url.host:
            raise MlflowError("the tracking URI has to start with http:// or https://")
        return cls(httpx.AsyncClient(base_url=url, headers=headers, auth=auth, timeout=TIMEOUT_SECONDS))

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def store(self, run: Tracked, *, experiment: str) -> str | None:
        """Store the run in the experiment; returns why artifacts were not stored, or None."""
        found = await self._run(await self._experiment(experiment), run)
        identity: JsonObject = {"run_id": found.info.run_id}
        known = {one.key for one in found.data.params}
        parameters = [(name, value) for name, value in run.parameters.items() if name not in known]
        await self._log(identity, "tags", [*run.tags.items()])
        await self._log(identity, "params", parameters)
        await self._log_metrics(identity, run.metrics)
        problem = await self._upload(found.info, run.artifacts)
        # Last, so that a run that has ended is complete.
        end: JsonObject = {"status": run.state, "end_time": run.end, "run_name": run.name}
        await self._post("runs/update", identity | end, _Empty)
        return problem

    async def _experiment(self, name: str) -> str:
        if (found := await self._experiment_named(name)) is not None:
            return found
        try:
            created = await self._post("experiments/create", {"name": name}, _Experiment)
        except MlflowError:
            # Another export may have created it at the same time.
            if (found := await self._experiment_named(name)) is not None:
                return found
            raise
        return created.experiment_id

    async def _experiment_named(self, name: str) -> str | None:
        path = f"/api/2.0/mlflow/experiments/get-by-name?experiment_name={quote(name, safe='')}"
        response = await self._send("GET", path)
        if response.status_code == HTTPStatus.NOT_FOUND and "RESOURCE_DOES_NOT_EXIST" in response.text:
            return None
        return _read(response, _ExperimentAnswer).experiment.experiment_id

    async def _run(self, experiment: str, run: Tracked) -> _Run:
        """Return the run with the uid's tag, which is created if there is none."""
        uid = run.uid.replace("'", "")
        search: JsonObject = {
            "experiment_ids": [experiment],
            "filter": f"tags.`{UID_TAG}` = '{uid}'",
            "order_by": ["attributes.start_time ASC"],
            "max_results": 1,
        }
        if found := (await self._post("runs/search", search, _Runs)).runs:
            return found[0]
        body: JsonObject = {
            "experiment_id": experiment,
            "run_name": run.name,
            "start_time": run.start,
            "tags": [{"key": UID_TAG, "value": uid}],
        }
        # Not repeated: a request whose answer was lost may have created the run, which the next export finds.
        return (await self._post("runs/create", body, _RunAnswer, tries=1)).run

    async def _log(self, identity: JsonObject, kind: str, pairs: Sequence[tuple[str, str]]) -> None:
        for start in range(0, len(pairs), BATCH):
            some: list[JsonValue] = [
                {"key": key, "value": value} for key, value in pairs[start : start + BATCH]
            ]
            await self._post("runs/log-batch", {**identity, kind: some}, _Empty)

    async def _log_metrics(self, identity: JsonObject, metrics: Sequence[Metric]) -> None:
        for start in range(0, len(metrics), BATCH):
            some = [one.body() for one in metrics[start : start + BATCH]]
            await self._post("runs/log-batch", {**identity, "metrics": [*some]}, _Empty)

    async def _upload(self, info: _Info, artifacts: Mapping[str, bytes]) -> str | None:
        root = urlsplit(info.artifact_uri)
        if root.scheme != PROXIED:
            return (
                f"artifacts are not stored: the server keeps them at {root.scheme or 'a path'}, where only "
                "MLflow's own clients can write; start it with --artifacts-destination"
            )
        for path, content in artifacts.items():
            place = quote(f"{root.path.strip('/')}/{path}")
            response = await self._send(
                "PUT", f"/api/2.0/mlflow-artifacts/artifacts/{place}", content=content
            )
            _read(response, _Empty)
        return None

    async def _post(
        self, method: str, body: JsonObject, answer: type[AnswerT], *, tries: int = MAX_TRIES
    ) -> AnswerT:
        return _read(await self._send("POST", f"/api/2.0/mlflow/{method}", body=body, tries=tries), answer)

    async def _send(
        self,
        method: str,
        path: str,
        *,
        body: JsonObject | None = None,
        content: bytes | None = None,
        tries: int = MAX_TRIES,
    ) -> httpx.Response:
        pause = FIRST_PAUSE_SECONDS
        for left in reversed(range(tries)):
            try:
                response = await self._http.request(method, path, json=body, content=content)
            except httpx.InvalidURL as error:
                raise MlflowError(f"the name of the experiment cannot be part of a URL: {error}") from error
            except httpx.HTTPError as error:
                if not left:
                    reason = readable(str(error), MAX_MESSAGE_CHARACTERS) or type(error).__name__
                    where = readable(str(self._http.base_url).rstrip("/"), MAX_MESSAGE_CHARACTERS)
                    raise MlflowError(f"MLflow at {where} cannot be reached: {reason}") from error
            else:
                if response.status_code not in PASSING or not left:
                    return response
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
            pause *= 2
        raise AssertionError("at least one try")


def _read(response: httpx.Response, answer: type[AnswerT]) -> AnswerT:
    if response.is_success:
        try:
            return answer.model_validate_json(response.content or b"{}")
        except ValidationError as error:
            raise MlflowError(
                f"{response.request.url.path} is not answered by MLflow: check the tracking URI"
            ) from error
    if response.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        advice = "set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        raise MlflowError(f"MLflow refused the credentials ({response.status_code}): {advice}")
    message = " ".join(readable(response.text, MAX_MESSAGE_CHARACTERS).split())
    raise MlflowError(f"MLflow answered {response.status_code} to {response.request.url.path}: {message}")
