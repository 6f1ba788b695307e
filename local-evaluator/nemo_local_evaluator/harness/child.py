"""Child process: runs one evaluation by lm-eval, with the request on stdin and events on stdout.

Started as a script, it needs lm-eval and nothing of this project, so that lm-eval may be installed apart.
Each line of stdout is an event in JSON; whatever lm-eval prints goes to stderr, which the parent logs.
"""

from __future__ import annotations

import difflib
import json
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypedDict

if TYPE_CHECKING:
    from lm_eval.tasks import TaskManager

__all__ = ["Request"]

_NEEDS_LOGLIKELIHOOD: Final = frozenset({"loglikelihood", "loglikelihood_rolling", "multiple_choice"})
_NAMES_SUGGESTED: Final = 5


class Request(TypedDict):
    type: str
    """Of the config; a name that lm-eval has to know, whatever is evaluated."""
    tasks: list[str]
    """What is evaluated: names of tasks, groups or tags."""
    model: str
    """lm-eval's name of the API: local-completions or local-chat-completions."""
    model_args: dict[str, Any]
    gen_kwargs: dict[str, Any]
    options: dict[str, Any]
    """Further arguments of `simple_evaluate`."""
    config_types: list[str]
    """Those of NeMo's own families, which may have been meant."""
    task_directories: list[str]
    """Of the server's own tasks, which come before lm-eval's."""


class _Refused(Exception):
    """Message for the job's owner."""


def main() -> None:
    # Whatever prints to descriptor 1 from here on, prints to stderr.
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    request: Request = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for event in _outcome(request):
        events.write(json.dumps(event, default=str) + "\n")
    events.close()


def _end_with_parent() -> None:
    # The parent holds the other end for as long as it lives, and sends nothing more.
    os.read(0, 1)
    os.killpg(0, signal.SIGKILL)


def _outcome(request: Request) -> Iterator[Mapping[str, Any]]:
    try:
        yield from _evaluate(request)
    except _Refused as refusal:
        yield {"kind": "failure", "message": str(refusal)}
    except ModuleNotFoundError as error:
        traceback.print_exc()
        what = "nemo-local-evaluator[harness]" if error.name == "lm_eval" else error.name
        yield {"kind": "failure", "message": f"{error.name} is missing: pip install '{what}'"}
    except Exception as error:  # noqa: BLE001 - whatever lm-eval raises ends the job
        traceback.print_exc()
        yield {"kind": "failure", "message": f"lm-eval failed: {type(error).__name__}: {error}"}


def _evaluate(request: Request) -> Iterator[Mapping[str, Any]]:
    from lm_eval import simple_evaluate  # noqa: PLC0415 - it may be missing

    manager = _manager([request["type"], *request["tasks"]], request)
    _refuse_unfit(request, [config for name in request["tasks"] for config in _configs(name, manager)])
    results = simple_evaluate(
        model=request["model"],
        model_args=request["model_args"],
        tasks=request["tasks"],
        gen_kwargs=request["gen_kwargs"] or None,
        task_manager=manager,
        confirm_run_unsafe_code=False,
        **request["options"],
    )
    for task, samples in results["samples"].items():
        for sample in samples:
            yield {"kind": "sample", "task": task, "document": _sample(sample)}
    yield {
        "kind": "scores",
        "tasks": results["results"],
        "groups": results.get("groups", {}),
        "filters": {
            task: [one["name"] for one in config.get("filter_list") or []]
            for task, config in results["configs"].items()
        },
    }


def _manager(names: list[str], request: Request) -> TaskManager:
    """Return lm-eval's index of tasks, with those of the server's own directories in front.

    Raises _Refused for the first name that is not among them.
    """
    from lm_eval.tasks import TaskManager  # noqa: PLC0415 - it may be missing

    directories, types = request["task_directories"], request["config_types"]
    if directories:
        # To read lm-eval's fifteen thousand tasks takes ten seconds.
        own = TaskManager(include_path=directories, include_defaults=False)
        if set(names) <= set(own.all_subtasks):
            return own
    manager = TaskManager(include_path=directories or None)
    # Not left to lm-eval, which takes any other string for the path of a file.
    for task in names:
        if task in manager.all_tasks:
            continue
        near = difflib.get_close_matches(task, [*types, *manager.all_tasks], n=_NAMES_SUGGESTED)
        meant = f"; did you mean {', '.join(near)}?" if near else ""
        raise _Refused(
            f"{task!r} is neither a type of NeMo Evaluator ({', '.join(types)}) nor a task of lm-eval{meant}"
        )
    return manager


def _configs(name: str, manager: TaskManager) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The tasks that a name stands for. Nothing is imported or fetched yet."""
    entry = manager.task_index.get(name)
    if entry is None:
        return
    config = entry.cfg or {}
    if name in manager.all_subtasks:
        yield name, config
        return
    yield from _members(config.get("task") or sorted(entry.tags), manager)


def _members(
    members: Iterable[str | Mapping[str, Any]], manager: TaskManager
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for member in members:
        if isinstance(member, str):
            yield from _configs(member, manager)
            continue
        # A task or group with some of its keys changed, or a group that is spelled out in place.
        inner = member.get("task") or member["group"]
        if isinstance(inner, str):
            yield inner, member
            yield from _configs(inner, manager)
        else:
            yield from _members(inner, manager)


def _refuse_unfit(request: Request, configs: list[tuple[str, Mapping[str, Any]]]) -> None:
    for name, config in configs:
        if config.get("unsafe_code"):
            raise _Refused(f"task {name!r} runs code that the model writes, which this server does not allow")
        if config.get("output_type") not in _NEEDS_LOGLIKELIHOOD:
            continue
        needs = f"task {name!r} needs log-likelihoods of given answers"
        if request["model"] == "local-chat-completions":
            raise _Refused(
                f"{needs}, which chat endpoints do not return: use one whose URL ends with /completions"
            )
        if request["model_args"].get("tokenizer_backend") == "none":
            raise _Refused(f"{needs}, and so the model's tokenizer: name it in params.extra.tokenizer")


def _sample(sample: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "index": sample["doc_id"],
        "item": sample["doc"],
        "target": sample["target"],
        "filter": sample["filter"],
        "responses": sample["resps"],
        "filtered_responses": sample["filtered_resps"],
        "scores": {metric: sample[metric] for metric in sample["metrics"]},
    }


if __name__ == "__main__":
    main()
