"""What every command is handed: the global options, the clock, and the way to its connections."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bluegreen.clock import Clock, SystemClock
from bluegreen.errors import UsageError

if TYPE_CHECKING:
    from bluegreen.config.load import Loaded
    from bluegreen.wiring import Session

DEFAULT_CONFIG = "bluegreen.yaml"


def connect(app: App, command: str) -> Session:
    """The session of this process; nothing is opened yet."""
    from bluegreen.wiring import Options, Session, this_process

    options = Options(store=app.store, region=app.region, profile=app.profile)
    return Session(options, this_process(command), environment=app.environment, clock=app.clock)


@dataclass
class App:
    """Tests hand in another ``connector``, clock or environment; the options are filled in from the command line."""

    connector: Callable[[App, str], Session] = connect
    clock: Clock = field(default_factory=SystemClock)
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    output: str = "text"
    store: str | None = None
    region: str | None = None
    profile: str | None = None
    debug: bool = False
    logged: bool = field(default=False, init=False)

    @property
    def json(self) -> bool:
        return self.output == "json"

    def session(self, command: str) -> Session:
        from bluegreen.cli.logs import keep_log

        keep_log(self, command)
        self.logged = True
        return self.connector(self, command)

    def session_for(self, command: str, named: str | None, config: str) -> tuple[Session, str]:
        """The session and the service a command is about.

        The configuration is read only for what nothing else says: the service's name, the store, the region.
        Raises UsageError when neither the argument nor a configuration names a service.
        """
        if named is not None and not named.strip():
            raise UsageError(
                "SERVICE is empty: was it a variable that is not set?",
                hint="name the service, or leave the argument out for the configuration's",
            )
        knows_store = self.store or self.environment.get("BLUEGREEN_STORE")
        service = named
        if not (named and knows_store):
            service = self._ask_configuration(named, Path(config))
        assert service is not None
        session = self.session(command)
        if Path(config).exists():
            session.folder = Path(config).resolve().parent
        return session, service

    def session_of(self, command: str, config: str) -> tuple[Session, str]:
        """For commands that need all of the configuration; it names the service. Raises UsageError without one."""
        path = Path(config)
        if not path.exists():
            raise UsageError(
                f"there is no {path} in {Path.cwd()}" if not path.is_absolute() else f"there is no {path}",
                hint="-c FILE names the configuration; bluegreen init writes one from a live ECS service",
            )
        service = self._ask_configuration(None, path)
        return self.session(command), service

    def load(self, session: Session, config: str, *, with_release: bool = True, hook_variables: bool = True) -> Loaded:
        return session.load(Path(config), with_release=with_release, hook_variables=hook_variables)

    def _ask_configuration(self, named: str | None, path: Path) -> str:
        if not path.exists() and named and str(path) == DEFAULT_CONFIG:
            return named
        if not path.exists():
            raise UsageError(
                f"there is no {path} in {Path.cwd()}" + ("" if named else ", and no service is named"),
                hint="name the service as the argument, or its configuration with -c FILE",
            )
        from bluegreen.config.minimal import read_minimal

        found = read_minimal(path, self.environment)
        if not self.environment.get("BLUEGREEN_STORE"):
            self.store = self.store or found.store
        self.region = self.region or found.region
        return named or found.service
