"""``bluegreen init``: the configuration of a service that runs already."""

from __future__ import annotations

import os
import secrets
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bluegreen.cli.app import DEFAULT_CONFIG, App
from bluegreen.errors import ConfigurationError, RefusedError, UsageError

if TYPE_CHECKING:
    from bluegreen.discovery.found import Chosen, Found, SlotFound
    from bluegreen.wiring import Session


@click.command("init")
@click.argument("service", required=False)
@click.option("--cluster", metavar="NAME", help="The ECS cluster. [default: the only one]")
@click.option("--other", metavar="SERVICE", help="The ECS service of the second slot, where it cannot be told.")
@click.option("-c", "--config", default=DEFAULT_CONFIG, show_default=True, metavar="FILE", help="The file to write.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.pass_obj
def command(app: App, service: str | None, cluster: str | None, other: str | None, config: str, force: bool) -> None:
    """Write a configuration from a live ECS service.

    SERVICE is one of the two ECS services, or the name they have in common: orders for orders-1 and orders-2. Without
    it, those that have a target group are listed. The second slot, the production routes, the test route and the
    alarms are looked for in AWS, where nothing is changed; what is a guess is called one in the file.
    """
    from bluegreen.discovery.discover import discover
    from bluegreen.discovery.draft import draft
    from bluegreen.discovery.found import Wanted

    path = Path(config)
    _refuse_bad_place(path, force)
    session = app.session("init")
    found = discover(session.source, Wanted(service, cluster, other))
    _write(path, draft(found), session, force=force)
    following = _following(app, config)
    if app.json:
        from bluegreen.cli.terminal import show_json

        return show_json(_data(found, config, following))
    return _show(found, config, following)


# Private


def _refuse_bad_place(path: Path, force: bool) -> None:
    """Before AWS is asked."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint=f"-c {path / DEFAULT_CONFIG} names a file in it")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", hint=f"mkdir -p {shlex.quote(str(path.parent))}")
    if path.exists() and not force:
        raise _exists(path)


def _exists(path: Path) -> RefusedError:
    return RefusedError(f"{path} exists and was left as it is", hint="another -c FILE, or --force to write over it")


def _write(path: Path, text: str, session: Session, *, force: bool) -> None:
    """All of it or nothing, and only what loads."""
    target = path.resolve()
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("x", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        _refuse_bad_draft(draft, session)
        _move(draft, target, force=force)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint="another -c FILE") from error
    finally:
        draft.unlink(missing_ok=True)


def _move(draft: Path, target: Path, *, force: bool) -> None:
    """Raises FileExistsError, without ``force``, also when the file came there only now."""
    if not force:
        try:
            return os.link(draft, target)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            if target.exists():
                raise FileExistsError from None
    draft.replace(target)
    return None


def _refuse_bad_draft(draft: Path, session: Session) -> None:
    try:
        session.load(draft, with_release=False)
    except ConfigurationError as error:
        problems = tuple(problem.split(": ", 1)[-1] for problem in error.problems)
        raise RefusedError(
            f"what was found makes no configuration, so nothing was written: {'; '.join(problems) or error.message}",
            hint="write it by hand, from configs/examples/minimal.yaml; and please report this",
        ) from error


def _following(app: App, config: str) -> list[str]:
    more = "" if config == DEFAULT_CONFIG else f" -c {shlex.quote(config)}"
    more += f" --profile {shlex.quote(app.profile)}" if app.profile else ""
    return [f"bluegreen verify{more}", f"bluegreen deploy{more} --image URI"]


def _show(found: Found, config: str, following: list[str]) -> None:
    click.echo(f"wrote {config}: {found.pair.name} in cluster {found.cluster} ({found.region})\n")
    click.echo(_table(found))
    click.echo("")
    for note in found.notes:
        click.echo(f"look:  {note}")
    for label, line in zip(("next:  ", "then:  "), following, strict=True):
        click.echo(label + line)


def _table(found: Found) -> str:
    from tabulate import tabulate

    from bluegreen.cli.terminal import width

    room = max(24, (width(sys.stdout) - 16) // 2)
    limits = [None, room, room]
    return tabulate(list(_rows(found)), tablefmt="plain", disable_numparse=True, maxcolwidths=limits)


def _rows(found: Found) -> Iterator[tuple[str, str, str]]:
    routes, smoke = found.routes, found.smoke
    for slot in found.pair.slots:
        yield "slot", f"{slot.target_group}, service {slot.service}", _state(found, slot)
    for each in routes.production:
        yield "production", each.route.name, _why(each)
    if routes.test:
        yield "test route", routes.test.route.name, _why(routes.test)
    yield "smoke test", "none" if smoke.left_out else f"GET {smoke.path}", smoke.left_out
    for gate in found.gates:
        yield "gate" if not gate.left_out else "no gate", gate.alarm, gate.left_out or gate.watches


def _state(found: Found, slot: SlotFound) -> str:
    live = found.routes.live
    role = "" if live is None else "live, " if live == slot.group else "idle, "
    return f"{role}desired count {slot.desired}"


def _why(chosen: Chosen) -> str:
    return f"guess: {chosen.why}" if chosen.guess else chosen.why


def _data(found: Found, config: str, following: list[str]) -> dict[str, Any]:
    from bluegreen.discovery.draft import route_words

    routes = found.routes
    return {
        "file": config,
        "service": found.pair.name,
        "cluster": found.cluster,
        "region": found.region,
        "slots": [{"target_group": slot.target_group, "service": slot.service} for slot in found.pair.slots],
        "production": [route_words(each.route) for each in routes.production],
        "test": route_words(routes.test.route) if routes.test else None,
        "smoke_test": None if found.smoke.left_out else found.smoke.path,
        "gates": [gate.alarm for gate in found.active_gates],
        "notes": list(found.notes),
        "next": following,
    }
