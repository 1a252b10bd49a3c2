"""What the sandbox's commands take."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from bluegreen.errors import BluegreenError, UsageError

Command = TypeVar("Command", bound=Callable[..., Any])


def plain_errors(command: Command) -> Command:
    """A message and an exit code for a person, never a traceback."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except BluegreenError as error:
            click.echo(f"error: {error.message}", err=True)
            if error.hint:
                click.echo(f"  → {error.hint}", err=True)
            raise SystemExit(error.exit_code) from None

    return wrapped  # type: ignore[return-value]


def with_name(command: Command) -> Command:
    return click.option(
        "--name", default="default", show_default=True, help="Which sandbox; several can run side by side."
    )(command)


def with_output(command: Command) -> Command:
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        help="Text for people or JSON for programs.",
    )(command)


class Finite(click.FloatRange):
    """A number of click's, but no infinity, and not what is no number: every comparison with that is wrong."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number} is no number", param, ctx)
        return number


def template_text(template: Path | None) -> str:
    shipped = Path(__file__).parents[1] / "sandbox" / "default.yaml"
    checkout = Path(__file__).parents[2] / "configs" / "sandbox.yaml"
    file = template or (shipped if shipped.exists() else checkout)
    try:
        return file.read_text()
    except OSError as error:
        raise UsageError(f"the template {file} cannot be read: {error.strerror}") from error


def pairs(given: Sequence[str]) -> dict[str, str]:
    wrong = [item for item in given if "=" not in item]
    if wrong:
        raise UsageError(f"--parameter {wrong[0]!r} is not K=V", hint="as --parameter DesiredCount=3")
    return {key: value for key, _, value in (item.partition("=") for item in given)}


def given_of(order: Mapping[str, Any]) -> dict[str, Any]:
    """What of ``order`` was typed, and is no default of the command's."""
    context = click.get_current_context()
    names = ("template", "parameters", "region", "port")
    return {name: order[name] for name in names if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
