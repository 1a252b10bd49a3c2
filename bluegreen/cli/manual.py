"""``docs/commands.md``: every command's help, as the commands themselves tell it."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from importlib import import_module

import click

from bluegreen.cli.main import root
from bluegreen.cli.options import add_global_options
from bluegreen.cli.table import COMMANDS, module_of

WIDTH = 100

INTRODUCTION = """\
# Commands

<!-- Written by scripts/docs from the commands' own help. Do not edit. -->

`-o text|json`, `--store`, `--region`, `--profile` and `--debug` may stand before or after a command (`store`, `schema`
and `sandbox` have options of their own).
Results go to stdout, progress and errors to stderr. `-c` defaults to `bluegreen.yaml`, and `SERVICE` to the
service that file names.

What is seen while a deployment runs depends on where it runs. On a terminal: one live view (`NO_COLOR` is obeyed).
Without one, as in CodeBuild: one line for a fact, and every 30 seconds without a fact a line that says what is waited
for. With `-o json`, `deploy`, `rollback`, `abort` and `resume` write one JSON object for a fact on a line of stdout:

    {"at": "2026-11-21T09:23:43.120Z", "kind": "split", "phase": "shift", "deployment": "…", "service": "orders",
     "message": "traffic: blue 95% / green 5% on prod:443", "data": {"green_percent": 5.0}}

and end, whatever happened, with the summary: `kind` is `summary`, `exit_code` the process's own, and `deployment` the
record as `history -o json` has it. Errors are one JSON object on stderr: `{"error": {"type", "message", "hint",
"problems", "exit_code", "log"}}`. Keys are added to, never renamed.

When a command fails by a fault, it names a log: every AWS call's operation, code and request id, readable by its owner
only, in `$XDG_STATE_HOME/bluegreen/logs` (`~/.local/state/bluegreen/logs`).

| exit | meaning |
|---|---|
| 0 | the release is live and baked (rollback: blue is back and verified; a query: answered; `--detach`: started) |
| 1 | a fault of ours: a bug, an unexpected answer |
| 2 | usage or configuration |
| 3 | rolled back |
| 4 | held: a person must decide |
| 5 | the service is locked, or this driver was pre-empted |
| 6 | refused before anything changed: preflight, guard, quarantine |
| 7 | a deadline passed and nothing was left half-done |
| 130 | detached by Ctrl-C; the deployment stands where the record says |
"""


def commands_page() -> str:
    """The page as Markdown; the same on every machine."""
    sections = [_section(2, ["bluegreen"], root)]
    for name, entry in COMMANDS.items():
        command: click.Command = import_module(module_of(name)).command
        if entry.shared:
            add_global_options(command)
        sections += _sections(["bluegreen", name], command)
    return "\n".join([INTRODUCTION, *sections])


# Private


def _sections(path: list[str], command: click.Command) -> Iterator[str]:
    yield _section(len(path), path, command)
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from _sections([*path, name], child)


def _section(level: int, path: list[str], command: click.Command) -> str:
    context: click.Context | None = None
    for name in path[:-1]:
        context = click.Context(click.Group(name), parent=context, info_name=name)
    command = copy(command)
    command._help_option = None  # click keeps the option of the first context that asked, whatever its names
    own = click.Context(command, parent=context, info_name=path[-1], terminal_width=WIDTH, max_content_width=WIDTH)
    own.help_option_names = ["-h", "--help"]
    return f"{'#' * level} {' '.join(path)}\n\n```\n{command.get_help(own).strip()}\n```\n"
