"""The stages of a Dockerfile, as far as this project's needs: enough to build an image without an engine."""

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from testbed.processes import ProcessError

__all__ = ["Instruction", "Stage", "read_stages"]


@dataclass(frozen=True)
class Instruction:
    """One line, with variables of earlier ARG lines replaced."""

    name: str
    text: str

    def words(self) -> list[str]:
        """Return the arguments: a JSON array, or words as a shell splits them."""
        if self.text.startswith("["):
            words: list[str] = json.loads(self.text)
            return words
        return shlex.split(self.text)

    def pairs(self) -> dict[str, str]:
        """Return the arguments of ENV and LABEL, which are NAME=VALUE."""
        return dict(word.split("=", 1) for word in self.words())


@dataclass(frozen=True)
class Stage:
    """A build stage, from its FROM line to the next one."""

    name: str
    base: str
    instructions: list[Instruction] = field(default_factory=list)

    def config(self) -> dict[str, Any]:
        """Return the image's configuration in the words of the OCI image specification."""
        found: dict[str, Any] = {"Env": [], "Labels": {}, "WorkingDir": "/"}
        for one in self.instructions:
            match one.name:
                case "ENV":
                    found["Env"] += [f"{name}={value}" for name, value in one.pairs().items()]
                case "LABEL":
                    found["Labels"] |= one.pairs()
                case "USER":
                    found["User"] = one.text
                case "ENTRYPOINT":
                    found["Entrypoint"] = one.words()
                case "CMD":
                    found["Cmd"] = one.words()
                case _:
                    pass
        return found

    def copied_from(self) -> tuple[str, str]:
        """Return the stage and the directory in it that are this stage's whole root.

        Raises ProcessError where the root is made in another way.
        """
        copies = [one.words() for one in self.instructions if one.name == "COPY"]
        match copies:
            case [[source, path, "/"]] if source.startswith("--from="):
                return source.removeprefix("--from="), path
            case _:
                raise ProcessError(f"Stage {self.name} of the Dockerfile is not one COPY --from=… DIR /.")


def read_stages(dockerfile: Path) -> dict[str, Stage]:
    """Return the stages by name; one without a name has its number."""
    arguments: dict[str, str] = {}
    stages: dict[str, Stage] = {}
    for name, text in _lines(dockerfile.read_text()):
        replaced = re.sub(r"\$\{(\w+)\}", lambda found: arguments.get(found[1], ""), text)
        match name:
            case "ARG":
                variable, _, value = replaced.partition("=")
                arguments[variable] = value
            case "FROM":
                stage = _stage(replaced.split(), number=len(stages))
                stages[stage.name] = stage
            case _:
                [*stages.values()][-1].instructions.append(Instruction(name, replaced))
    return stages


def _stage(words: Sequence[str], *, number: int) -> Stage:
    return Stage(name=words[2] if len(words) > 1 else f"{number}", base=words[0])


def _lines(text: str) -> Iterator[tuple[str, str]]:
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in kept.replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            yield name.upper(), rest.strip()
