"""Options that several commands share; the global ones may stand before or after the command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from bluegreen.cli.app import DEFAULT_CONFIG, App

F = TypeVar("F", bound=Callable[..., Any])


def global_options() -> list[click.Option]:
    """Fresh ones for each command; the value that stands last on the command line wins."""
    return [
        _global(["-o", "--output"], type=click.Choice(["text", "json"]), help="Text for people, JSON for programs."),
        _global(["--store"], metavar="URL", help="sqlite:///PATH or dynamodb://TABLE. [env BLUEGREEN_STORE]"),
        _global(["--region"], metavar="REGION", help="AWS region, over the configuration's and the environment's."),
        _global(["--profile"], metavar="NAME", help="AWS profile. [env AWS_PROFILE]"),
        _global(["--debug"], is_flag=True, default=None, help="Log to stderr, with tracebacks."),
    ]


def add_global_options(command: click.Command) -> click.Command:
    """To a command and all below it; an option that a command has of its own stays its own."""
    taken = {name for param in command.params for name in param.opts}
    command.params += [option for option in global_options() if not taken.intersection(option.opts)]
    if isinstance(command, click.Group):
        for child in command.commands.values():
            add_global_options(child)
    return command


def config_option(command: F) -> F:
    return click.option(
        "-c", "--config", default=DEFAULT_CONFIG, show_default=True, metavar="FILE", help="The configuration."
    )(command)


def service_argument(command: F) -> F:
    """SERVICE, and the configuration that names it where the argument is left out."""
    return click.argument("service", required=False)(config_option(command))


def reason_option(command: F) -> F:
    return click.option("--reason", metavar="TEXT", callback=_clean, help="Why; kept in the record.")(command)


def _clean(context: click.Context, _: click.Parameter, reason: str | None) -> str | None:
    """Without what looks like a secret, or is one of the environment's: it is kept, and shown to everybody."""
    if reason is None:
        return None
    # Imported now: a rollback is timed, and mostly gives no reason.
    from bluegreen.redact import Redactor, secrets_of

    app = context.find_object(App)
    return Redactor(secrets_of(app.environment if app else {})).text(reason)


def release_options(command: F) -> F:
    """What is to be deployed, over what the configuration's ``release`` says."""
    options = (
        click.option(
            "--image",
            "images",
            multiple=True,
            metavar="[CONTAINER=]URI",
            help="Image for a container; repeatable. Without a name: the only essential container.",
        ),
        click.option(
            "--task-definition",
            metavar="FILE|ARN",
            help="A task definition file (JSON), an ARN, or family:revision.",
        ),
        click.option(
            "--image-definitions", metavar="FILE", help="A pipeline's imagedefinitions.json: name and imageUri."
        ),
        click.option(
            "--image-detail",
            multiple=True,
            metavar="[NAME=]FILE",
            help="A pipeline's imageDetail.json for a placeholder of --taskdef (IMAGE1_NAME); repeatable.",
        ),
        click.option("--taskdef", metavar="FILE", help="taskdef.json with <IMAGE1_NAME> placeholders."),
    )
    for option in reversed(options):
        command = option(command)
    return command


# Private


def _global(names: list[str], **settings: Any) -> click.Option:
    return click.Option(names, expose_value=False, callback=_remember, **settings)


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    app = ctx.find_object(App)
    if value is not None and app is not None and param.name:
        setattr(app, param.name, value)
