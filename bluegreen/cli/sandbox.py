"""bluegreen sandbox: a truthful local AWS, started, asked and ended from the command line."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from bluegreen.cli.sandbox_options import Finite, given_of, pairs, plain_errors, template_text, with_name, with_output
from bluegreen.cli.sandbox_views import table, tables
from bluegreen.clock import SystemClock
from bluegreen.errors import LockedError, UsageError

_START_SECONDS = 60.0
_FOLLOW_SECONDS = 0.3
_FOLLOW_LINES = 2000


@click.group(name="sandbox")
def command() -> None:
    """A truthful local AWS: real tasks behind a real load balancer."""


@command.command()
@click.option(
    "--template", type=click.Path(path_type=Path), help="CloudFormation template. [default: one service, orders]"
)
@click.option(
    "--parameter", "parameters", multiple=True, metavar="K=V", help="A parameter of the template; repeatable."
)
@click.option("--foreground", is_flag=True, help="Stay, and end with Ctrl-C.")
@click.option("--region", default="us-east-1", show_default=True)
@click.option("--port", default=4566, show_default=True, type=click.IntRange(1024, 65535), help="The API's port.")
@click.option(
    "--timeout",
    type=Finite(0, min_open=True),
    default=_START_SECONDS,
    show_default=True,
    help="Seconds the services may take to be healthy.",
)
@with_name
@with_output
@plain_errors
def up(
    template: Path | None,
    parameters: Sequence[str],
    foreground: bool,
    region: str,
    port: int,
    timeout: float,
    name: str,
    output: str,
) -> None:
    """Start a sandbox and wait until its services are healthy."""
    from bluegreen.sandbox import client
    from bluegreen.sandbox.place import folder_of

    client.require_extra()
    running = client.find(name, Path.cwd())
    if running is not None and not running.is_ready:
        raise LockedError(f"the sandbox {name} is starting already", hint="wait for its `up` to end")
    order = {
        "name": name,
        "folder": str(folder_of(name, Path.cwd())),
        "region": region,
        "port": port,
        "template": template_text(template),
        "parameters": pairs(parameters),
        "patience": timeout,
    }
    if running is not None:
        _refuse_differences(running, given_of(order))
        click.echo(f"the sandbox {name} is running already", err=True)
        return _show_up(running.status(), output)
    if foreground:
        return _serve_here(order, output)
    return _show_up(client.start(order, _progress), output)


@command.command()
@with_name
@plain_errors
def down(name: str) -> None:
    """End a sandbox: no process and no file of it is left."""
    from bluegreen.sandbox import client

    running = client.find(name, Path.cwd())
    if running is None:
        click.echo(f"no sandbox {name} is running below {Path.cwd()}", err=True)
        return
    running.stop(SystemClock())
    click.echo(f"the sandbox {name} is down", err=True)


@command.command()
@with_name
@with_output
@plain_errors
def status(name: str, output: str) -> None:
    """Listeners, services, tasks and target groups as they are now."""
    content = _get(name).status()
    if output == "json":
        return click.echo(json.dumps(content, indent=2))
    for title, rows in tables(content):
        click.echo(f"{title}\n{table(rows) if rows else '  none'}\n")
    return None


@command.command()
@with_name
@plain_errors
def env(name: str) -> None:
    """Lines for `eval "$(bluegreen sandbox env)"`: aws and boto3 then speak to the sandbox."""
    from bluegreen.sandbox.client import in_the_way

    lines = _get(name).environment(Path.cwd(), os.environ)
    for key in in_the_way(os.environ):
        click.echo(f"unset {key}")
    for key, value in lines.items():
        click.echo(f"export {key}={shlex.quote(value)}")


@command.command()
@click.option("--service", help="Only this service's tasks.")
@click.option("--task", help="Only this task.")
@click.option(
    "-n", "--lines", default=100, show_default=True, type=click.IntRange(1), help="The newest lines of each container."
)
@click.option("-f", "--follow", is_flag=True, help="Go on until Ctrl-C.")
@with_name
@plain_errors
def logs(service: str | None, task: str | None, lines: int, follow: bool, name: str) -> None:
    """What the containers wrote, oldest first; also of tasks that stopped."""
    sandbox, clock = _get(name), SystemClock()
    shown = sandbox.ask("GET", "logs", service=service, task=task, lines=lines)
    for line in shown:
        click.echo(line)
    while follow:
        clock.sleep(_FOLLOW_SECONDS)
        now = sandbox.ask("GET", "logs", service=service, task=task, lines=max(lines, _FOLLOW_LINES))
        for line in _new_lines(shown, now):
            click.echo(line)
        shown = now


@command.command()
@click.argument("task")
@with_name
@plain_errors
def kill(task: str, name: str) -> None:
    """Kill a task's containers at once, as a crash would: a dead target."""
    killed = _get(name).ask("POST", "kill", {"task": task})
    click.echo(f"killed task {killed['task']}", err=True)


@command.command()
@click.option(
    "--since",
    type=Finite(),
    default=0.0,
    metavar="EPOCH",
    help="Only calls that began then or later, in epoch seconds.",
)
@with_name
@with_output
@plain_errors
def calls(since: float, name: str, output: str) -> None:
    """The API calls the sandbox answered: how many, of which operation, with which errors."""
    made = _get(name).ask("GET", "calls", since=since)
    if output == "json":
        return click.echo(json.dumps(made, indent=2))
    counted: dict[tuple[str, str, str], int] = {}
    for call in made:
        key = (call["service"], call["operation"], call["error"] or "")
        counted[key] = counted.get(key, 0) + 1
    rows = [
        {"service": service, "operation": operation, "error": error, "calls": count}
        for (service, operation, error), count in sorted(counted.items())
    ]
    return click.echo(table(rows) if rows else "no calls")


@command.group()
def fault() -> None:
    """AWS's bad days on request: errors, latency, stale reads."""


@fault.command(name="add")
@click.argument("operation")
@click.option("--error", help="AWS error code to answer, as InternalFailure or AccessDeniedException.")
@click.option("--status", "http_status", type=click.IntRange(400, 599), default=400, show_default=True)
@click.option("--message", default="fault on request", show_default=True)
@click.option("--after", is_flag=True, help="Execute the call first: it takes effect, then the answer fails.")
@click.option("--latency", type=Finite(0), default=0.0, help="Seconds before the call is executed.")
@click.option("--stale", type=Finite(0), help="Reads answer as the world was that many seconds ago.")
@click.option("--rate", type=Finite(0, 1, min_open=True), default=1.0, help="Share of calls, 0 to 1.")
@click.option("--times", type=click.IntRange(1), help="How often; without it, until it is cleared.")
@with_name
@plain_errors
def fault_add(name: str, http_status: int, **given: Any) -> None:
    """Let OPERATION fail: elbv2:ModifyListener, ModifyListener or a pattern as ecs:Describe*."""
    added = _get(name).ask("POST", "faults", {**given, "status": http_status})
    click.echo(f"fault {added['id']} is on", err=True)


@fault.command(name="list")
@with_name
@with_output
@plain_errors
def fault_list(name: str, output: str) -> None:
    """Faults in force, with how often each was met."""
    faults = _get(name).ask("GET", "faults")
    click.echo(json.dumps(faults, indent=2) if output == "json" else (table(faults) if faults else "no faults"))


@fault.command(name="clear")
@click.argument("fault_id", required=False, type=int)
@with_name
@plain_errors
def fault_clear(fault_id: int | None, name: str) -> None:
    """End one fault, or all of them."""
    _get(name).ask("DELETE", "faults" if fault_id is None else f"faults/{fault_id}")
    click.echo("cleared", err=True)


@command.command()
@click.argument("state", type=click.Choice(["on", "off"]), required=False)
@click.option("--scale", type=Finite(0, min_open=True), help="Multiply AWS's published figures.")
@with_name
@plain_errors
def throttle(state: str | None, scale: float | None, name: str) -> None:
    """AWS's published request quotas: on by default, off or scaled; without an argument, what they are."""
    sandbox = _get(name)
    if state is None and scale is None:
        now = sandbox.ask("GET", "throttles")
    else:
        body: dict[str, Any] = {} if state is None else {"enabled": state == "on"}
        now = sandbox.ask("POST", "throttles", body if scale is None else {**body, "scale": scale})
    click.echo(f"throttles {'on' if now['enabled'] else 'off'}, {now['scale']:g} times AWS's figures")


# -- private


def _get(name: str) -> Any:
    from bluegreen.sandbox import client

    return client.get(name, Path.cwd())


def _progress(text: str) -> None:
    click.echo(f"  {text}", err=True)


def _refuse_differences(running: Any, given: Mapping[str, Any]) -> None:
    differences = running.ask("POST", "differences", given)
    if differences:
        raise UsageError(
            f"the sandbox {running.name} is running already, and not as asked for: {'; '.join(differences)}",
            hint="end it first (bluegreen sandbox down), or give the new one another --name",
        )


def _serve_here(order: Mapping[str, Any], output: str) -> None:
    from bluegreen.sandbox.daemon import Order, serve

    def say(event: dict[str, Any]) -> None:
        if "ready" in event:
            _show_up(event["ready"], output)
            click.echo("Ctrl-C ends it", err=True)
        else:
            _progress(event["progress"])

    serve(Order.from_json(dict(order)), say)


def _show_up(status: Mapping[str, Any], output: str) -> None:
    if output == "json":
        return click.echo(json.dumps(status, indent=2))
    name = "" if status["name"] == "default" else f" --name {status['name']}"
    click.echo(table(status["listeners"]) if status["listeners"] else "the template has no listener")
    click.echo(f'\nnext: eval "$(bluegreen sandbox env{name})"', err=True)
    return None


def _new_lines(shown: Sequence[str], now: Sequence[str]) -> Sequence[str]:
    """What ``now`` has beyond ``shown``: both are the end of the same growing text."""
    for start in range(len(shown) + 1):
        overlap = shown[start:]
        if list(now[: len(overlap)]) == list(overlap):
            return now[len(overlap) :]
    return now


if __name__ == "__main__":
    command()
