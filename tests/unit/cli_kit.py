"""The command line against a stage: the real drivers and commands, the world in memory."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from bluegreen.cli.app import App
from bluegreen.cli.main import root
from bluegreen.wiring import Session
from tests.stage import Stage

CONFIGURATION = """\
service: orders
cluster: production
slots:
  - {target_group: orders-1, service: orders-1}
  - {target_group: orders-2, service: orders-2}
production:
  - {load_balancer: prod, port: 443}
test: {load_balancer: prod, port: 8080}
release:
  images: {app: "registry.example/orders:2"}
shift: {canary: {percent: 5, wait: 1m}}
bake: {time: 10m}
"""


@dataclass
class Desk:
    """A person at a terminal in ``folder``, with a configuration there."""

    folder: Path
    stage: Stage = field(default_factory=Stage)
    environment: dict[str, str] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.config = self.folder / "bluegreen.yaml"
        self.config.write_text(CONFIGURATION)
        self.environment |= {"XDG_STATE_HOME": str(self.folder / "state"), "BLUEGREEN_STORE": "sqlite:///unused"}

    def app(self) -> App:
        return App(connector=self._connect, clock=self.stage.clock, environment=self.environment)

    def type(self, *arguments: str) -> Result:
        result = CliRunner().invoke(root, list(arguments), obj=self.app())
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    def deploy(self, *arguments: str) -> Result:
        return self.type("deploy", "-c", str(self.config), *arguments)

    def logs(self) -> list[Path]:
        return sorted((self.folder / "state" / "bluegreen" / "logs").glob("*.log"))

    def _connect(self, app: App, command: str) -> Session:
        self.commands.append(command)
        return self.stage.session(command)


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(row) for row in text.splitlines()]


def failing(error: BaseException) -> App:
    """Every command that reaches for its connections meets this error."""

    def connect(app: App, command: str) -> Session:
        raise error

    return App(connector=connect, environment={"BLUEGREEN_STORE": "sqlite:///unused"})
