"""The one module that names every implementation. Each is imported when it is first used: a rollback is timed."""

from __future__ import annotations

import getpass
import os
import re
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bluegreen.clock import Clock, SystemClock
from bluegreen.domain.service import Owner
from bluegreen.domain.spec import GateSpec, HookSpec, NotifySpec
from bluegreen.errors import UsageError
from bluegreen.notify.base import Notifier, Reporter
from bluegreen.together import in_threads

if TYPE_CHECKING:
    from pydantic import BaseModel

    from bluegreen.aws.clients import Clients
    from bluegreen.compute.base import ComputeProvider, Scaling
    from bluegreen.config.kinds import Kinds
    from bluegreen.config.load import Loaded
    from bluegreen.discovery.base import Source
    from bluegreen.hooks.alarm import AlarmBoard
    from bluegreen.hooks.base import Gate, Hook
    from bluegreen.hooks.running import Links
    from bluegreen.lifecycle.work import World
    from bluegreen.store.base import StateStore
    from bluegreen.traffic.base import TrafficRouter


@dataclass(frozen=True, slots=True)
class Options:
    """The command line's global options; ``store`` is a URL, or None for the environment's or the default."""

    store: str | None = None
    region: str | None = None
    profile: str | None = None


def this_process(command: str) -> Owner:
    """Who holds the leases of this process."""
    return Owner(_user(), socket.gethostname(), os.getpid(), command, _pids())


def state_folder(environment: Mapping[str, str]) -> Path:
    """Where a user's state lives, whatever the folder a command is typed in: ``$XDG_STATE_HOME/bluegreen``."""
    home = environment.get("XDG_STATE_HOME") or f"{environment.get('HOME', '/tmp')}/.local/state"
    return Path(home) / "bluegreen"


def known_kinds() -> Kinds:
    """The kinds that a configuration may name; those of entry points check their own settings."""
    from bluegreen.config.kinds import Kinds, Models
    from bluegreen.hooks.registry import GATE_GROUP, HOOK_GROUP, gate_kinds, hook_kinds
    from bluegreen.notify.registry import NOTIFIER_GROUP, notifier_kinds

    return Kinds(
        Models(hook_kinds(), _settings_model, lambda: _plugged(HOOK_GROUP)),
        Models(gate_kinds(), _settings_model, lambda: _plugged(GATE_GROUP)),
        _settings_of,
        Models(notifier_kinds(), _notifier_model, lambda: _plugged(NOTIFIER_GROUP)),
        _notifier_settings_of,
    )


def default_store(environment: Mapping[str, str]) -> str:
    """One file for a user on a machine."""
    return f"sqlite:///{state_folder(environment)}/state.db"


@dataclass
class Session:
    """One command's connections, each opened when it is first asked for.

    ``folder`` is where the configuration lies: hooks' relative paths start there.
    """

    options: Options
    owner: Owner
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    clock: Clock = field(default_factory=SystemClock)
    folder: Path = field(default_factory=Path.cwd)
    region: str | None = None

    def __post_init__(self) -> None:
        self.began_at = self.clock.now()
        self._hooks: dict[tuple[str, str], Hook] = {}
        self._gates: dict[str, tuple[GateSpec, Mapping[str, str], Gate]] = {}
        self._clients: dict[tuple[str | None, str], Clients] = {}

    @property
    def store_url(self) -> str:
        return self.options.store or self.environment.get("BLUEGREEN_STORE") or default_store(self.environment)

    @property
    def absolute_store_url(self) -> str:
        """The same store, named for a process that works in another folder."""
        from bluegreen.store.location import SqliteLocation, parse

        location = parse(self.store_url)
        return str(SqliteLocation(location.path.resolve()) if isinstance(location, SqliteLocation) else location)

    @cached_property
    def store(self) -> StateStore:
        from bluegreen.store.location import DynamoLocation, parse

        location = parse(self.store_url)
        if isinstance(location, DynamoLocation):
            from bluegreen.store.dynamodb import DynamoStore

            # The table's region, not the deployment's: the record is what tells that one.
            clients = self._clients_in(location.region or self.options.region)
            return DynamoStore(clients.dynamodb, location.table, self.clock, clients.calls)
        from bluegreen.store.sqlite import SqliteStore

        return SqliteStore(location.path)

    @property
    def lease_seconds(self) -> float:
        """How long a driver that fell silent keeps others out; BLUEGREEN_LEASE_SECONDS (docs/manual.md) changes it."""
        from bluegreen.store.base import LEASE_SECONDS

        text = self.environment.get("BLUEGREEN_LEASE_SECONDS", "")
        if not text:
            return LEASE_SECONDS
        try:
            seconds = float(text)
        except ValueError:
            seconds = 0.0
        if not 1.0 <= seconds <= LEASE_SECONDS:
            raise UsageError(
                f"BLUEGREEN_LEASE_SECONDS={text} is not a number from 1 to {LEASE_SECONDS:g}", hint="unset it"
            )
        return seconds

    @property
    def clients(self) -> Clients:
        """Of the deployment's region: the option's, the configuration's or record's, the environment's."""
        return self._clients_in(self.options.region or self.region)

    def hook_clients(self) -> Clients:
        """Of their own, in the same region: a hook's write moves no traffic, and comes long after the last fence."""
        return self._clients_in(self.options.region or self.region, "hooks")

    @cached_property
    def router(self) -> TrafficRouter:
        from bluegreen.traffic.alb import AlbRouter

        return AlbRouter(self.clients, self.clock, self._sandbox_ports)

    @property
    def in_sandbox(self) -> bool:
        """Typed in a shell that speaks to a sandbox (`bluegreen sandbox env`)."""
        return "BLUEGREEN_SANDBOX_PORTS" in self.environment

    @property
    def _sandbox_ports(self) -> Mapping[int, int]:
        """As `bluegreen sandbox env` writes them: 80=9080,443=9443. Nonsense in them keeps no rollback from running."""
        pairs = re.findall(r"(\d+)=(\d+)", self.environment.get("BLUEGREEN_SANDBOX_PORTS", ""))
        return {int(port): int(served) for port, served in pairs}

    @cached_property
    def compute(self) -> ComputeProvider:
        from bluegreen.compute.ecs_service_pair import EcsServicePair

        return EcsServicePair(self.clients, together=in_threads)

    @cached_property
    def source(self) -> Source:
        """What is live, for whoever has no configuration yet."""
        from bluegreen.discovery.aws import AwsSource

        return AwsSource(self.clients, together=in_threads)

    def spawn(self, command: Sequence[str], log: Path) -> int:
        """Start a process that outlives this one, in the configuration's folder; answers its pid."""
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as output:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env=dict(self.environment),
                cwd=self.folder,
            )
        child.returncode = 0  # nobody here waits for it
        return child.pid

    @cached_property
    def scaling(self) -> Scaling:
        from bluegreen.compute.scaling import ApplicationAutoScaling

        return ApplicationAutoScaling(self.clients)

    def world(self, reporter: Reporter) -> World:
        from bluegreen.lifecycle.work import World

        return World(
            self.store,
            self.router,
            self.compute,
            self.hook,
            self.gate,
            self.clock,
            reporter,
            self.scaling,
            lambda deadline: self.clients.calls.write_only_before(deadline),
            lambda urgent: self.clients.calls.hurry(urgent),
            lambda: self.clients.calls.aws_now(),
            self.lease_seconds,
            in_threads,
        )

    def hook(self, spec: HookSpec) -> Hook:
        """The same object for the same hook: it knows what it has running."""
        key = (spec.point.value, spec.name)
        if key not in self._hooks:
            from bluegreen.hooks.registry import build_hook

            self._hooks[key] = build_hook(spec, self.environment, self.folder, self.clock, self._links)
        return self._hooks[key]

    def gate(self, spec: GateSpec, facts: Mapping[str, str]) -> Gate:
        """The same object for the same gate, as long as it is told the same."""
        known = self._gates.get(spec.name)
        if known is None or known[:2] != (spec, facts):
            from bluegreen.hooks.registry import build_gate

            gate = build_gate(spec, self.environment, self.folder, self._alarms, self.clock, self._links, facts)
            known = self._gates[spec.name] = (spec, dict(facts), gate)
        return known[2]

    def notifier(self, spec: NotifySpec) -> Notifier:
        """Built anew each time: whoever tells facts keeps it. Its thread has clients of its own."""
        from bluegreen.hooks.running import Links
        from bluegreen.notify.registry import build_notifier

        links = Links(lambda: self._clients_in(self.options.region or self.region, "notify"))
        return build_notifier(spec, self.environment, self.folder, self.clock, links)

    def _clients_in(self, region: str | None, purpose: str = "") -> Clients:
        key = (region, purpose)
        if key not in self._clients:
            from bluegreen.aws.clients import Clients

            self._clients[key] = Clients(region, self.options.profile, clock=self.clock, environment=self.environment)
        return self._clients[key]

    @cached_property
    def _links(self) -> Links:
        from bluegreen.hooks.running import Links

        return Links(self.hook_clients, lambda: self.store)

    @cached_property
    def _alarms(self) -> AlarmBoard:
        from bluegreen.hooks.alarm import AlarmBoard

        return AlarmBoard(lambda: self.clients.cloudwatch, self.clock)

    def load(self, path: Path, *, with_release: bool = True, hook_variables: bool = True) -> Loaded:
        """Read the configuration; hooks start from its folder, and calls go to its region."""
        from bluegreen.config.load import load

        kinds = known_kinds()
        loaded = load(path, self.environment, kinds, with_release=with_release, hook_variables=hook_variables)
        self.folder = loaded.folder
        self.region = loaded.spec.region
        return loaded


# Private


def _settings_model(kind: str) -> type[BaseModel]:
    from bluegreen.hooks.settings import settings_model

    return settings_model(kind)


def _notifier_model(kind: str) -> type[BaseModel]:
    from bluegreen.notify.settings import notifier_model

    return notifier_model(kind)


def _notifier_settings_of(kind: str, written: object) -> Mapping[str, object]:
    from bluegreen.notify.settings import notifier_settings_of

    return notifier_settings_of(kind, written)


def _settings_of(kind: str, written: object) -> Mapping[str, object]:
    from bluegreen.hooks.settings import settings_of

    return settings_of(kind, written)


def _plugged(group: str) -> tuple[str, ...]:
    from importlib.metadata import entry_points

    return tuple(entry_points(group=group).names)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _pids() -> str:
    """The kernel that runs, and the namespace of this process's pid in it. Empty on a system that does not say it."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""
