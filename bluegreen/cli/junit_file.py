"""``--junit FILE``: the results of a deployment's hooks for a CI, written at the end, however that comes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bluegreen.errors import BluegreenError, UsageError

if TYPE_CHECKING:
    from bluegreen.domain.deployment import Deployment
    from bluegreen.wiring import Session

F = TypeVar("F", bound=Callable[..., Any])


def junit_option(command: F) -> F:
    return click.option(
        "--junit",
        "junit_file",
        metavar="FILE",
        type=click.Path(dir_okay=False),
        help="Write the hooks' results there as JUnit XML, however the command ends.",
    )(command)


class JunitFile:
    """Made before anything is changed. Raises UsageError where the file could not be written."""

    def __init__(self, session: Session, service: str, file: str) -> None:
        self._session = session
        self._service = service
        self._path = Path(file)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.open("ab").close()
        except OSError as error:
            raise UsageError(
                f"--junit {file} cannot be written: {error.strerror}",
                hint="name a file in a folder that may be written",
            ) from error

    def write(self, seen: Deployment | None, error: BluegreenError | None) -> None:
        """``seen``: the deployment as this process knew it last. What cannot be written changes no exit code."""
        from bluegreen.report.junit import junit, junit_of_nothing

        if seen is None:
            document = junit_of_nothing(self._service, error.message if error else "it ended before it began")
        else:
            document = junit(self._newest(seen), error.message if error else "")
        try:
            self._path.write_bytes(document)
        except OSError as problem:
            click.echo(f"warning: {self._path} could not be written: {problem.strerror}", err=True)

    def _newest(self, seen: Deployment) -> Deployment:
        """Another driver may have gone on with it."""
        try:
            return self._session.store.load(seen.id)
        except BluegreenError:
            return seen
