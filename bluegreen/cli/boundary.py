"""Where every error ends: a message, the next action, an exit code that tells the truth. No traceback in the face."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from bluegreen.cli.app import App
from bluegreen.errors import AwsError, BluegreenError, ConfigurationError, HeldError

if TYPE_CHECKING:
    from pathlib import Path

INTERRUPTED = 130


def guarded(app: App, arguments: Sequence[str], run: Callable[[], object]) -> int:
    """Run a command line; answers the exit code and lets nothing through but SystemExit."""
    _prefer_json(app, arguments)
    try:
        answer = run()
        sys.stdout.flush()
        return answer if isinstance(answer, int) else 0
    except BluegreenError as error:
        return _report(app, error)
    except click.ClickException as error:
        return _usage(app, error)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        return _crash(app, error)


# Private


def _prefer_json(app: App, arguments: Sequence[str]) -> None:
    """So that a command line which cannot be parsed is also answered in the format it asks for."""
    asked = " ".join(arguments)
    if any(form in asked for form in ("-o json", "-ojson", "--output json", "--output=json")):
        app.output = "json"


def _report(app: App, error: BluegreenError) -> int:
    is_fault = error.exit_code == 1 or isinstance(error, AwsError) or (isinstance(error, HeldError) and error.fault)
    log = _log(app, error) if is_fault or app.logged else None
    shown_log = log if is_fault else None
    problems = error.problems if isinstance(error, ConfigurationError) else ()
    _say(app, type(error).__name__, error.message, error.hint, error.exit_code, problems, shown_log)
    return error.exit_code


def _log(app: App, error: BluegreenError) -> Path | None:
    from bluegreen.cli.logs import log_error

    return log_error(app, error)


def _usage(app: App, error: click.ClickException) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "bluegreen"
    _say(app, "UsageError", error.format_message(), f"{path} --help", 2)
    return 2


def _crash(app: App, error: Exception) -> int:
    from bluegreen.cli.logs import log_crash

    log = log_crash(app, error)
    message = (
        f"internal error: {type(error).__name__}; a deployment that this command drove stands where its record says, "
        "nobody drives it now, and users stay where they are"
    )
    hint = (
        "bluegreen status shows where, bluegreen resume goes on with it, bluegreen rollback goes back; "
        "please report this with the log"
    )
    _say(app, "InternalError", message, hint, 1, log=log)
    return 1


def _say(
    app: App,
    kind: str,
    message: str,
    hint: str | None,
    exit_code: int,
    problems: tuple[str, ...] = (),
    log: Path | None = None,
) -> None:
    if app.json:
        _say_json(
            {
                "type": kind,
                "message": message,
                "hint": hint,
                "problems": list(problems),
                "exit_code": exit_code,
                "log": str(log) if log else None,
            }
        )
        return
    click.echo(f"{click.style('error:', fg='red') if _coloured(app) else 'error:'} {message}", err=True)
    for problem in problems:
        if problem not in message:
            click.echo(f"  {problem}", err=True)
    for label, said in (("next", hint), ("log", log)):
        if said:
            click.echo(f"{label + ':':<6} {said}", err=True)


def _say_json(error: dict[str, object]) -> None:
    import json

    click.echo(json.dumps({"error": error}), err=True)


def _coloured(app: App) -> bool:
    return not app.environment.get("NO_COLOR") and sys.stderr.isatty()
