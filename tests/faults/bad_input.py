"""Bad input, typed at a desk: mutated configurations and command lines, and the judge of what came of them.

The desk's world is in memory. Whatever would change anything is refused at the first call and noted: nothing bad may
get as far as that, except for input that is good after all.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from bluegreen.cli.app import App
from bluegreen.cli.main import root
from bluegreen.drivers.foreground import deploy
from bluegreen.errors import RefusedError
from bluegreen.hooks.base import Reading
from bluegreen.store.location import parse
from bluegreen.wiring import Session
from tests.stage import NEW, Recorder, ScriptedGate, Stage
from tests.unit.cli_kit import CONFIGURATION
from tests.unit.test_config_fuzz import VALUES, WHOLE, dumped, mutated

SECRET = "hunter2-Zq9!xLw"
STOPPED = "stopped before it changed anything"
CHANGES = ("acquire", "preempt", "begin", "save", "finish", "request", "clear_request")
ENVIRONMENT = {"COMMIT": "c0ffee", "DATABASE_URL": "db", "TEST_TOKEN": "t", "TAG": "2", "TOKEN": SECRET}

LINES: tuple[tuple[str, ...], ...] = (
    ("deploy", "--image", "app=registry.example/orders:3", "--reason", "why"),
    ("deploy", "--task-definition", "orders:1", "--force"),
    ("deploy", "--image-definitions", "definitions.json", "--detach"),
    ("deploy", "--taskdef", "taskdef.json", "--image-detail", "IMAGE1_NAME=detail.json", "--dry-run"),
    ("rollback", "orders", "--to", "orders:1", "--dry-run"),
    ("rollback", "orders", "--wait", "--reason", "pager"),
    ("status", "orders", "-o", "json"),
    ("history", "orders", "--limit", "5"),
    ("verify", "--image", "registry.example/orders:3"),
    ("pause", "orders", "--reason", "why"),
    ("resume", "orders", "--accept-live"),
    ("promote", "orders"),
    ("abort", "orders", "--reason", "why"),
    ("iam-policy", "--purpose", "rollback", "--account", "111122223333", "--role", "arn:aws:iam::1:role/x"),
    ("schema",),
)
FILES = {
    "definitions.json": '[{"name": "app", "imageUri": "registry.example/orders:3"}]',
    "taskdef.json": '{"family": "orders", "containerDefinitions": [{"name": "app", "image": "<IMAGE1_NAME>"}]}',
    "detail.json": '{"ImageURI": "registry.example/orders:3"}',
    "list.json": "[1, {}]",
    "cut.json": '{"family": "ord',
    "deep.json": "[" * 3000 + "]" * 3000,
    "binary.json": "\u0000\u0001",
    "empty.json": "",
}
WITH_CONFIGURATION = (
    ("verify",),
    ("deploy", "--dry-run"),
    ("deploy",),
    ("rollback", "--dry-run"),
    ("status",),
    ("history",),
    ("resume",),
    ("iam-policy",),
)
OPTIONS = (
    "--image", "--task-definition", "--to", "--limit", "-o", "--store", "--region", "--reason", "-c", "--purpose",
    "--account", "--image-detail", "--taskdef", "--nonsense", "--imag", "-x", "--", "--force=1", "--debug",
)  # fmt: skip
WORDS = (
    "", " ", "-", "=", "app=", "=x", "json", "yaml", "0", "-1", "99999999999999999999", "orders", "nobody", "a/b",
    "../x", "*", "$(id)", "sqlite:///x", "sqlite:", "dynamodb://", "dynamodb://t?x=1", "http://x", "\udcff", "\n", "é",
    "arn:aws:ecs:x", "orders:1", "orders:99", "/etc/shadow", ".", *FILES,
)  # fmt: skip
JUNK = (b"&a ", b"*a", b"<<: ", b"\t", b"${", b"\xff\xfe", b"!!python/x ")

AN_OPTION = re.compile(r"[Nn]o such option|--?\w[\w-]*|\b[A-Z]{2,}\b|extra arguments?|\bservice \S+")
A_WAY_ON = re.compile(r"Try '[^']+ --help'|there are|did you mean|known are")
A_PLACE = re.compile(r":[0-9]+:[0-9]+: ")


@dataclass
class Tally:
    """What came of it, by exit code. ``changed`` counts good input that would have changed something."""

    exits: Counter[int] = field(default_factory=Counter)
    tried: int = 0
    changed: int = 0

    @property
    def refused(self) -> int:
        return self.exits[2] + self.exits[6]

    def __str__(self) -> str:
        shown = ", ".join(f"exit {code}: {number}" for code, number in sorted(self.exits.items()))
        return f"{self.refused} refused, 0 tracebacks ({shown}; {self.changed} good ones stopped at their first change)"


class Desk:
    """``folder`` has the configuration and some files. One deployment has ended well."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stage = Stage()
        deploy(self.stage.session(), self.stage.spec, NEW, Recorder())
        self.stage.on_call = self._stop
        self.stage.gates = defaultdict(lambda: ScriptedGate(lambda: Reading("ok", "quiet")))
        self.before = self.world()
        self.reached: list[str] = []
        self.config = folder / "bluegreen.yaml"
        for name, text in FILES.items():
            (folder / name).write_text(text)
        self.configure(CONFIGURATION.encode())

    def configure(self, text: bytes) -> None:
        self.config.write_bytes(text)

    def type(self, words: Sequence[str]) -> Result:
        self.reached.clear()
        environment = {**ENVIRONMENT, "XDG_STATE_HOME": str(self.folder / "state")}
        app = App(connector=self._connect, clock=self.stage.clock, environment=environment)
        return CliRunner().invoke(root, list(words), obj=app)

    def world(self) -> tuple[object, ...]:
        """Everything that bad input must not change."""
        rows = self.stage.memory.rows
        weights = [self.stage.weights(index) for index in range(len(self.stage.router.routes))]
        counts = {name: service.desired for name, service in self.stage.compute.services.items()}
        return rows.service("orders"), tuple(rows.newest("orders", 9)), weights, counts, len(self.stage.compute.changes)

    def _connect(self, app: App, command: str) -> Session:
        session = self.stage.session(command)
        session.environment = app.environment
        if app.store:
            parse(app.store)
        return session

    def _stop(self, when: str, name: str) -> None:
        if when == "before" and name.startswith("store.") and name.removeprefix("store.") in CHANGES:
            self.reached.append(name)
            raise RefusedError(STOPPED, hint="it was good")


def judge(desk: Desk, words: Sequence[str], result: Result, tally: Tally) -> None:
    """Raises AssertionError where the answer breaks the promise."""
    tally.tried += 1
    tally.exits[result.exit_code] += 1
    tally.changed += bool(desk.reached)
    shown = (list(words), result.exit_code, result.stderr[-1500:])
    assert result.exit_code in (0, 2, 6), shown
    assert result.exception is None or isinstance(result.exception, SystemExit), shown
    assert "Traceback" not in result.stdout + result.stderr or "--debug" in words, shown
    assert "internal error" not in result.stderr, shown
    assert SECRET not in result.stdout + result.stderr, shown
    assert desk.world() == desk.before, shown
    if result.exit_code:
        _names_it(words, result, shown)


def _names_it(words: Sequence[str], result: Result, shown: object) -> None:
    """The message names the key with its place, or the option, the argument or the file; and what to do."""
    message, hint, problems = _said(result)
    assert message, shown
    named = [word for word in words if len(word) > 1 and (word in message or repr(word)[1:-1] in message)]
    assert problems or named or AN_OPTION.search(message) or STOPPED in message, shown
    assert hint or problems or A_WAY_ON.search(result.stderr), shown


def _said(result: Result) -> tuple[str, str, list[str]]:
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    for line in lines:
        if line.startswith('{"error"'):
            error = json.loads(line)["error"]
            return str(error["message"]), str(error["hint"] or ""), [str(one) for one in error["problems"]]
    at = next((index for index, line in enumerate(lines) if line.startswith("error:")), None)
    if at is None:
        return "", "", []
    hint = next((line.removeprefix("next:").strip() for line in lines if line.startswith("next:")), "")
    problems = [line for line in lines[at + 1 :] if line.startswith("  ") and A_PLACE.search(line)]
    return "\n".join(lines[at:]), hint, problems


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """A good command line with one to four words replaced, dropped, doubled, swapped, cut or put in."""
    words = list(draw(st.sampled_from(LINES)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(1, max(1, len(words))))
        how = draw(st.sampled_from(["put", "option", "drop", "double", "cut", "swap", "any"]))
        if how in ("put", "option", "any"):
            words.insert(at, draw(_NEW_WORDS[how]))
        elif at < len(words):
            _change(words, at, how)
    return words


_NEW_WORDS = {
    "put": st.sampled_from(WORDS),
    "option": st.sampled_from(OPTIONS),
    "any": st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8),
}


def _change(words: list[str], at: int, how: str) -> None:
    if how == "drop":
        del words[at]
    elif how == "double":
        words.insert(at, words[at])
    elif how == "cut":
        words[at] = words[at][: len(words[at]) // 2]
    else:
        words[at - 1 or 1], words[at] = words[at], words[at - 1 or 1]


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """A configuration's text with bytes put in and taken out, or cut off."""
    text = draw(st.sampled_from([CONFIGURATION.encode(), dumped(WHOLE)]))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        junk = draw(
            st.binary(max_size=4) | st.sampled_from([b"&a ", b"*a", b"<<: ", b"\t", b"${", b"\xff\xfe", b"!!python/x "])
        )
        text = text[:start] + junk + text[start + draw(st.integers(0, 12)) :]
    return text[: draw(st.integers(0, len(text)))] if draw(st.integers(0, 9)) == 0 else text


SMALL: dict[str, Any] = yaml.safe_load(CONFIGURATION)


@st.composite
def small(draw: st.DrawFn) -> bytes:
    """The smallest useful configuration with some of its keys given any value."""
    return dumped(SMALL | draw(st.dictionaries(st.sampled_from(sorted(WHOLE)), VALUES, min_size=1, max_size=3)))


CONFIGURATIONS = {
    "mutated references": mutated().map(dumped),
    "mutated small ones": small(),
    "damaged texts": texts(),
}


def try_configurations(desk: Desk, family: str, number: int, chance: int) -> Tally:
    tally = Tally()

    def check(text: bytes, words: tuple[str, ...]) -> None:
        desk.configure(text)
        line = [*words, "-c", str(desk.config)]
        judge(desk, line, desk.type(line), tally)

    run_examples(given(CONFIGURATIONS[family], st.sampled_from(WITH_CONFIGURATION))(check), number, chance)
    return tally


def try_command_lines(desk: Desk, number: int, chance: int) -> Tally:
    tally = Tally()
    desk.configure(CONFIGURATION.encode())
    run_examples(given(command_lines())(lambda words: judge(desk, words, desk.type(words), tally)), number, chance)
    return tally


def run_examples(test: Callable[[], None], number: int, chance: int) -> None:
    limits = settings(max_examples=number, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    seed(chance)(limits(test))()
