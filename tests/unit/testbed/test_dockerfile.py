"""The Dockerfile as it is read to build images without a container engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.dockerfile import Stage, read_stages
from testbed.processes import ProcessError

TEXT = """\
# A comment
ARG BASE=python:slim
ARG VERSION=1.2.3
FROM ${BASE} AS build
RUN first && \\
    second

FROM scratch AS server
# Between instructions
LABEL name="a server" \\
      version="${VERSION}"
COPY --from=build /rootfs /
ENV PATH=/bin HOME=/home/nonroot
USER 65532:65532
ENTRYPOINT ["server"]
CMD ["run", "--all"]
"""


@pytest.fixture
def stages(tmp_path: Path) -> dict[str, Stage]:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(TEXT)
    return read_stages(dockerfile)


def test_stages_have_names_and_bases(stages: dict[str, Stage]) -> None:
    assert {name: stage.base for name, stage in stages.items()} == {
        "build": "python:slim",
        "server": "scratch",
    }


def test_lines_that_go_on_are_one_instruction(stages: dict[str, Stage]) -> None:
    (run,) = stages["build"].instructions

    assert (run.name, run.text.split()) == ("RUN", ["first", "&&", "second"])


def test_the_configuration_is_that_of_the_image(stages: dict[str, Stage]) -> None:
    assert stages["server"].config() == {
        "Env": ["PATH=/bin", "HOME=/home/nonroot"],
        "Labels": {"name": "a server", "version": "1.2.3"},
        "WorkingDir": "/",
        "User": "65532:65532",
        "Entrypoint": ["server"],
        "Cmd": ["run", "--all"],
    }


def test_the_root_is_copied_from_a_directory_of_a_stage(stages: dict[str, Stage]) -> None:
    assert stages["server"].copied_from() == ("build", "/rootfs")
    with pytest.raises(ProcessError, match="Stage build"):
        stages["build"].copied_from()


@pytest.mark.parametrize("target", ["operator", "local-evaluator"])
def test_both_images_of_the_project_can_be_built_so(target: str) -> None:
    stages = read_stages(Path(__file__).parents[3] / "Dockerfile")

    source, directory = stages[target].copied_from()

    assert source in stages
    assert directory.startswith("/")
    assert stages[target].config()["User"] == "65532:65532"
