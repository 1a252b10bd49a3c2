"""The console command. A command's module is imported when it is used, not before: ``--help`` is quick."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from bluegreen.cli.app import App
from bluegreen.cli.boundary import guarded
from bluegreen.cli.options import add_global_options, global_options
from bluegreen.cli.table import COMMANDS, module_of

EXIT_CODES = """\b
Exit codes: 0 the release is live (rollback: blue is back) · 1 a fault of ours
2 usage or configuration · 3 rolled back · 4 held: a person must decide
5 locked, or another driver took over · 6 refused, nothing was changed
7 a deadline passed · 130 detached by Ctrl-C
"""


def main() -> None:
    """Entry point of ``bluegreen``."""
    # A rollback makes few cycles and is timed; a long deployment still collects, only more seldom.
    gc.set_threshold(50_000, 20, 20)
    leave(root.main(standalone_mode=False))


def leave(code: int) -> NoReturn:
    """End the process as ``sys.exit`` does, without taking every object apart: that is a fifth of a rollback's time.

    What was registered for the end runs (logs, the store's file) and what was printed is out. While another thread
    runs, or the output cannot be written, the interpreter ends in its own way.
    """
    if threading.active_count() > 1:
        sys.exit(code)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        sys.exit(code)
    atexit._run_exitfuncs()
    os._exit(code)


class Root(click.Group):
    """Knows its commands from the table; turns every error into a message and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = import_module(module_of(cmd_name)).command
        return add_global_options(command) if entry.shared else command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section in dict.fromkeys(entry.section for entry in COMMANDS.values()):
            rows = [(name, entry.short) for name, entry in COMMANDS.items() if entry.section == section]
            with formatter.section(section):
                formatter.write_dl(rows, col_max=12)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        arguments = list(sys.argv[1:] if args is None else args)
        app = extra.get("obj") or App()
        extra["obj"] = app
        run = super().main
        code = guarded(app, arguments, lambda: run(arguments, "bluegreen", complete_var, False, **extra))
        if standalone_mode:
            sys.exit(code)
        return code


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from importlib.metadata import version

    click.echo(f"bluegreen {version('bluegreen')}")
    ctx.exit()


root = Root(
    name="bluegreen",
    help="Blue/green deployments behind AWS load balancers. When in doubt: bluegreen status.",
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    params=[
        *global_options(),
        click.Option(
            ["--version"], is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Print the version."
        ),
    ],
    callback=lambda: None,
)
