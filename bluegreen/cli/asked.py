"""From the command line to what is to be deployed. What stands there replaces the configuration's ``release``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bluegreen.domain.release import ReleaseRequest
from bluegreen.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from bluegreen.compute.artifacts import Artifact

COMMITS = ("CODEBUILD_RESOLVED_SOURCE_VERSION", "GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT")
"""Where build systems say which commit they build: CodeBuild, GitHub, GitLab, Jenkins."""


@dataclass(frozen=True, slots=True)
class Asked:
    images: tuple[str, ...] = ()
    task_definition: str | None = None
    image_definitions: str | None = None
    image_detail: tuple[str, ...] = ()
    taskdef: str | None = None

    @property
    def anything(self) -> bool:
        return bool(self.images or self.task_definition or self.image_definitions or self.image_detail or self.taskdef)


def request_of(
    asked: Asked, configured: ReleaseRequest | None, environment: Mapping[str, str], reason: str | None = None
) -> ReleaseRequest:
    """Raises UsageError when nothing says what to deploy, or two options do; ConfigurationError for a bad file."""
    request = _from_options(asked) if asked.anything else configured
    if request is None:
        raise UsageError(
            "nothing says what to deploy",
            hint="--image [CONTAINER=]URI, --task-definition FILE|ARN, or a release section in the configuration",
        )
    commit = request.commit or next((environment[name] for name in COMMITS if environment.get(name)), None)
    return replace(request, commit=commit, reason=reason or request.reason)


def parse_images(images: Sequence[str]) -> dict[str, str]:
    """``CONTAINER=URI`` or ``URI``; the name is empty for the only essential container."""
    found: dict[str, str] = {}
    for text in images:
        name, equals, uri = text.partition("=")
        container, image = (name, uri) if equals else ("", text)
        if not image or (equals and not name):
            raise UsageError(f"--image {text} is not [CONTAINER=]URI", hint="--image app=registry/orders:v2")
        if container in found:
            which = f"container {container}" if container else "the only essential container"
            raise UsageError(
                f"--image names {which} twice: {found[container]} and {image}",
                hint="--image CONTAINER=URI, once for each container",
            )
        found[container] = image
    return found


# Private


def _from_options(asked: Asked) -> ReleaseRequest:
    from bluegreen.compute.artifacts import from_image_definitions

    _refuse_two_bases(asked)
    if asked.image_definitions:
        base = from_image_definitions(_artifact("--image-definitions", asked.image_definitions))
    elif asked.taskdef:
        base = _from_details(asked)
    elif asked.task_definition:
        base = _task_definition(asked.task_definition)
    else:
        base = ReleaseRequest()
    images = parse_images(asked.images)
    if images and base.task_definition is not None:
        raise UsageError(
            f"--image cannot change {base.task_definition}: a registered revision's images are settled",
            hint="give --image alone, or the task definition as a file",
        )
    return replace(base, images={**base.images, **images})


def _refuse_two_bases(asked: Asked) -> None:
    if asked.image_detail and not asked.taskdef:
        raise UsageError(
            "--image-detail needs --taskdef FILE, whose placeholder it fills",
            hint="--taskdef taskdef.json --image-detail imageDetail.json",
        )
    bases = {
        "--task-definition": asked.task_definition,
        "--image-definitions": asked.image_definitions,
        "--taskdef": asked.taskdef,
    }
    given = [name for name, value in bases.items() if value]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} each say what to deploy", hint=f"give {' or '.join(given)} alone")


def _from_details(asked: Asked) -> ReleaseRequest:
    from bluegreen.compute.artifacts import FIRST_PLACEHOLDER, from_image_detail, from_task_definition

    assert asked.taskdef is not None
    if not asked.image_detail:
        return from_task_definition(_artifact("--taskdef", asked.taskdef))
    details: dict[str, Artifact] = {}
    for text in asked.image_detail:
        placeholder, equals, file = text.partition("=")
        details[placeholder if equals else FIRST_PLACEHOLDER] = _artifact("--image-detail", file if equals else text)
    return from_image_detail(_artifact("--taskdef", asked.taskdef), details)


def _task_definition(text: str) -> ReleaseRequest:
    from bluegreen.config.release import task_definition_request

    try:
        return task_definition_request(text, Path())
    except ConfigurationError as error:
        raise ConfigurationError(
            f"--task-definition: {error.message}",
            problems=error.problems,
            hint=error.hint or "it takes a file (JSON or YAML), an ARN with its revision, or family:revision",
        ) from None


def _artifact(option: str, name: str) -> Artifact:
    from bluegreen.compute.artifacts import Artifact

    try:
        return Artifact(name, Path(name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(
            f"{option}: {name or 'no file'} cannot be read: {why}", hint=f"{option} takes a file's name"
        ) from None
