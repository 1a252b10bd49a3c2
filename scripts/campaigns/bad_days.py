"""AWS's bad days: each call of a real deployment and of a real rollback fails at the sandbox's API.

`bluegreen deploy`, and `bluegreen rollback --wait` of a deployment whose driver was killed in its bake, with the store
in DynamoDB there too: every call goes over HTTP through the real clients. Each call that changes something in turn, and
one of each kind that reads, is throttled, refused, answered with 500, answered later than anybody waits (five seconds),
answered with a stale read: alone, and three times in a row; or its driver is killed (SIGKILL) while it waits for the
answer, and the change takes effect after its death, or never. Where the command ends without an end, the fault is taken
away and `bluegreen resume` is typed. Users (locust) ask all the while; each of their requests must be answered right.
As in *kills*, a write whose sender died is waited for some seconds, not for AWS's ten minutes.
"""

from __future__ import annotations

import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bluegreen.domain.deployment import Phase
from scripts.campaigns.frame import Budget, Row, sampled
from scripts.campaigns.places import QUICK, CloudTeam, image, last, state, team_in, what_is_wrong

LATE_SECONDS = 5.5
"""Half a second longer than a client waits for an answer."""

DEATH_SECONDS = 1.0
"""How long the answer is held back of the driver that is killed meanwhile."""

LONGEST = 120.0
RESUMES = 3
IN_A_ROUND = 20
"""Points for each run of the load generator: what it saw is known when it ends."""

WITHOUT_RECORD = "without the record"
DENIED = "User: arn:aws:iam::123456789012:user/ci is not authorized to perform this action"
BAKES_LONG: dict[str, Any] = {**QUICK, "bake": {"time": "10m"}}


@dataclass(frozen=True)
class Kind:
    """What happens to a call: ``fault`` is the sandbox's; ``kills`` the driver that waits for the answer."""

    name: str
    fault: dict[str, Any]
    reads: bool = True
    writes: bool = True
    kills: bool = False


BROKEN: dict[str, Any] = {"error": "InternalFailure", "status": 500}
KINDS = (
    Kind("throttled", {"error": "ThrottlingException"}),
    Kind("refused", {"error": "AccessDeniedException", "message": DENIED}),
    Kind("500, without effect", BROKEN),
    Kind("500, having taken effect", {**BROKEN, "after": True}, reads=False),
    Kind("no answer in time, without effect", {**BROKEN, "latency": LATE_SECONDS}),
    Kind("no answer in time, taking effect late", {"latency": LATE_SECONDS}, reads=False),
    Kind("a stale read", {"stale": 2.0}, writes=False),
)
DEATHS = (
    Kind("its driver killed, without effect", {**BROKEN, "latency": DEATH_SECONDS}, kills=True),
    Kind("its driver killed, taking effect later", {"latency": DEATH_SECONDS}, reads=False, kills=True),
)


@dataclass(frozen=True)
class Point:
    """The ``number``-th call (from 1) of ``operation`` (``elbv2:ModifyListener``) in what is typed."""

    command: str
    operation: str
    number: int
    reads: bool


def run(budget: Budget) -> list[Row]:
    with team_in(budget.folder / "bad-days", CloudTeam) as team:
        day = Day(team, budget)
        points = [*day.points("deploy"), *day.points("rollback")]
        budget.tell(f"{len(points)} calls")
        tries = [(kind, times) for times in (1, 3) for kind in KINDS] + [(kind, 1) for kind in DEATHS]
        return [day.row(kind, times, points) for kind, times in tries]


@dataclass
class Day:
    team: CloudTeam
    budget: Budget
    release: int = 1
    exits: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    failures: int = 0
    losses: list[str] = field(default_factory=list)

    def points(self, command: str) -> list[Point]:
        """Of an undisturbed run."""
        begin = self._prepared(command)
        since = self.budget.clock.now()
        process = begin()
        _, err = process.communicate(timeout=LONGEST)
        assert process.returncode == 0, err
        made = [
            each for each in self.team.sandbox.ask("GET", "calls", since=since) if "bluegreen/" in each["user_agent"]
        ]
        counts = Counter((f"{each['service']}:{each['operation']}", _reads(each["operation"])) for each in made)
        return [
            Point(command, operation, number, reads)
            for (operation, reads), count in sorted(counts.items())
            for number in _numbers(operation, reads, count)
        ]

    def row(self, kind: Kind, times: int, points: list[Point]) -> Row:
        began = self.budget.clock.monotonic()
        self.exits, self.requests, self.failures, self.losses = Counter(), 0, 0, []
        concerned = [p for p in points if _concerns(kind, p)]
        tries = list(sampled(concerned, self.budget.share))
        for start in range(0, len(tries), IN_A_ROUND):
            with self._under_load():
                for point in tries[start : start + IN_A_ROUND]:
                    self._try(kind, times, point)
        suffix = "" if kind.kills else ", once" if times == 1 else f", {times} times in a row"
        took = self.budget.clock.monotonic() - began
        ends = ", ".join(f"{name} {count}" for name, count in self.exits.most_common())
        failed = f"{self.failures} of {self.requests} requests failed"
        note = f"{failed}; the command ended: {ends}"
        row = Row(kind.name + suffix, len(tries), min(len(tries), len(self.losses)), took, note, tuple(self.losses))
        self.budget.tell("; ".join([f"{row.what}: {row.tried} points, {row.lost} lost", note, *self.losses]))
        return row

    @contextmanager
    def _under_load(self) -> Iterator[None]:
        with self.team.users(2, REQUESTS_PER_SECOND_AND_USER="20") as seen:
            yield
            self.budget.clock.sleep(0.5)
        self.requests += seen.total
        self.failures += seen.failures
        if seen.failures:
            self.losses.append(f"{seen.failures} requests failed: {'; '.join(seen.failed[:3])}")

    def _try(self, kind: Kind, times: int, point: Point) -> None:
        where = f"{point.command}, {point.operation} no. {point.number}, {kind.name}, {times} times"
        begin = self._prepared(point.command)
        self.team.sandbox.ask(
            "POST", "faults", {"operation": point.operation, "skip": point.number - 1, "times": times, **kind.fault}
        )
        process = begin()
        if kind.kills:
            self._kill_once_it_waits(process)
        try:
            out, err = process.communicate(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            self.losses.append(f"{where}: it had not ended after {LONGEST:g} s: {err[-300:]}")
        self.team.sandbox.ask("DELETE", "faults")
        self.exits[_named(process.returncode)] += 1
        if "Traceback" in err or "internal error" in err or _says_nothing(process.returncode, err):
            self.losses.append(f"{where}: exit {process.returncode}: {err[-600:]}")
        bare = WITHOUT_RECORD in out
        lost = self._is_not_blue() if bare else self._contradicts(point.command, process.returncode)
        lost = self._converge(point.command) or lost
        if lost:
            self.losses.append(f"{where}: {lost}")

    def _kill_once_it_waits(self, process: subprocess.Popen[str]) -> None:
        """A fault that has struck often enough is no longer listed."""
        end = self.budget.clock.monotonic() + LONGEST
        while process.poll() is None and self.team.sandbox.ask("GET", "faults"):
            if self.budget.clock.monotonic() > end:
                break
            self.budget.clock.sleep(0.01)
        process.kill()

    def _is_not_blue(self) -> str | None:
        """Without the store a rollback puts blue back and no more; the record is closed by the next one."""
        d = last(self.team)
        assert d is not None
        live = self.team.weights()
        return None if live == {d.blue.name: 100} else f"it said that blue is back, and the weights are {live}"

    def _contradicts(self, command: str, code: int) -> str | None:
        """Its exit code and the record say the same."""
        d = last(self.team)
        if d is None or code not in (0, 3):
            return None
        wanted = Phase.SUCCEEDED if command == "deploy" and code == 0 else Phase.ROLLED_BACK
        return None if d.phase is wanted else f"exit {code}, but the record says {d.phase.value}"

    def _converge(self, command: str) -> str | None:
        said = last(self.team)
        for _ in range(RESUMES):
            if state(self.team).active is None:
                break
            again = "rollback" if command == "rollback" and _turned_away(said) else "resume"
            self.team.run(again, *(["--wait"] if again == "rollback" else []), seconds=LONGEST)
        d = last(self.team)
        if command == "rollback" and d is not None and d.phase is not Phase.ROLLED_BACK:
            return f"it was to be rolled back, and ended {d.phase.value}"
        return what_is_wrong(self.team, self.budget)

    def _prepared(self, command: str) -> Callable[[], subprocess.Popen[str]]:
        """What begins it, once everything is as it must be before."""
        self.team.sandbox.ask("POST", "reset")
        self.release += 1
        if command == "deploy":
            self.team.configure(**QUICK)
            return lambda: self.team.start("deploy", "--image", image(self.release))
        self.team.configure(**BAKES_LONG)
        driver = self.team.start("deploy", "--image", image(self.release))
        end = self.budget.clock.monotonic() + LONGEST
        while (d := last(self.team)) is None or d.phase is not Phase.BAKE:
            assert self.budget.clock.monotonic() < end, "it never baked"
            self.budget.clock.sleep(0.1)
        driver.kill()
        driver.communicate()
        return lambda: self.team.start("rollback", "--wait", "--reason", "a bad day")


# Private


def _reads(operation: str) -> bool:
    return operation.startswith(("Describe", "Get", "List", "Query", "BatchGet"))


def _numbers(operation: str, reads: bool, count: int) -> list[int]:
    """Every write to the world; of reads the middle one; of the store's many writes the first, the middle, the last."""
    if reads:
        return [(count + 1) // 2]
    if operation.startswith("dynamodb:"):
        return sorted({1, (count + 1) // 2, count})
    return list(range(1, count + 1))


def _concerns(kind: Kind, point: Point) -> bool:
    if "stale" in kind.fault and point.operation.startswith("dynamodb:"):
        return False  # its reads are strongly consistent
    return kind.reads if point.reads else kind.writes


def _says_nothing(code: int, err: str) -> bool:
    """What ends a command names the next one."""
    return code not in (0, 3, -signal.SIGKILL) and "next:" not in err


def _turned_away(d: Any) -> bool:
    """The rollback never began: who wants one types it again, and does not resume the deployment."""
    return d is not None and d.rollback is None


def _named(code: int) -> str:
    return "killed" if code == -signal.SIGKILL else f"exit {code}"
