"""Real processes are killed (SIGKILL) at random instants, under load.

`bluegreen deploy`, `resume` and `rollback --wait` in a sandbox with real tasks and a real proxy, each killed at an
instant drawn by lot from its whole run, the start of the process included; then `bluegreen resume` takes it to its
end. Users (locust, in a process of its own) ask all the while; each of their requests must be answered right. One who
follows a driver that was killed in the middle of a write waits for three seconds, not for AWS's ten minutes, before it
touches blue: in the sandbox no request outlives its sender for longer.
"""

from __future__ import annotations

import random
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from bluegreen.domain.deployment import Deployment
from bluegreen.lifecycle.routes.late import is_announced
from scripts.campaigns.frame import Budget, Row
from scripts.campaigns.places import HastyTeam, image, last, state, team_in, what_is_wrong
from tests.sandbox.team import Team

KILLS = 125
"""Some of them hit a process that only looks around, or one that has just ended."""
IN_A_ROUND = 10
"""Kills for each run of the load generator: what it saw is known when it ends."""

LONGEST_RESUME = 120.0
"""Seconds."""

ENDED = (0, 3, 6)
"""Exit codes of ``resume``: succeeded, rolled back, nothing (any more) to resume."""


def run(budget: Budget) -> list[Row]:
    began = budget.clock.monotonic()
    with team_in(budget.folder / "kills", HastyTeam) as team:
        killer = Killer(team, budget, random.Random(budget.seed))
        killer.measure()
        losses = [*killer.rounds(budget.of(KILLS))]
    return [
        Row(
            "SIGKILL at a random instant",
            killer.kills,
            len(losses),
            budget.clock.monotonic() - began,
            killer.figures(),
            tuple(losses),
        )
    ]


@dataclass
class Killer:
    team: Team
    budget: Budget
    dice: random.Random
    kills: int = 0
    release: int = 1
    span: float = 5.0
    victims: Counter[str] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    failures: int = 0
    mid_write: int = 0

    def measure(self) -> None:
        """How long an undisturbed deployment takes from its record's begin: instants are drawn from that."""
        self.team.deploy(self._next_image())
        d = last(self.team)
        assert d is not None
        self.span = (d.ended_at or d.started_at) - d.started_at

    def rounds(self, wanted: int) -> Iterator[str]:
        """Ends at the first deployment that does not: the next one would find a world that is not its own."""
        lost = None
        while self.kills < wanted and lost is None:
            until = min(wanted, self.kills + IN_A_ROUND)
            with self.team.users(2, REQUESTS_PER_SECOND_AND_USER="25") as seen:
                while self.kills < until and lost is None:
                    lost = self._disturb()
                self.budget.clock.sleep(0.5)
            if lost:
                yield lost
            self.requests += seen.total
            self.failures += seen.failures
            if seen.failures:
                yield f"{seen.failures} requests failed: {'; '.join(seen.failed[:3])}"
            self.budget.tell(f"{self.kills} of {wanted} killed, {self.failures} of {self.requests} requests failed")

    def figures(self) -> str:
        return (
            f"{self.failures} of {self.requests} requests failed; killed: {_listed(self.victims)}; "
            f"in phase: {_listed(self.phases)}; ended: {_listed(self.ends)}; "
            f"{self.mid_write} died in the middle of a write"
        )

    def _disturb(self) -> str | None:
        """One deployment, whose drivers are killed once, twice or three times."""
        before = last(self.team)
        self._kill("deploy", "--image", self._next_image())
        while self.dice.random() < 0.35:
            self._kill(*(("resume",) if self.dice.random() < 0.5 else ("rollback", "--wait")))
        process = self.team.start("resume")
        try:
            _, err = process.communicate(timeout=LONGEST_RESUME)
        except subprocess.TimeoutExpired:
            process.kill()
            return f"resume had not ended after {LONGEST_RESUME:g} s: {process.communicate()[1].strip()[-300:]}"
        if process.returncode not in ENDED:
            return f"resume ended with {process.returncode}: {err.strip()[-300:]}"
        d = last(self.team)
        self.ends["not begun" if d is None or before is None or d.id == before.id else d.phase.value] += 1
        return what_is_wrong(self.team, self.budget)

    def _kill(self, *words: str) -> None:
        if words[0] != "deploy" and state(self.team).active is None:
            return
        before = last(self.team)
        process = self.team.start(*words)
        try:
            if words[0] == "deploy" and self.dice.random() < 0.8:
                self._wait_for_another(than=before, process=process)
            process.wait(self.dice.uniform(0.0, self.span))
        except subprocess.TimeoutExpired:
            self.kills += 1
            self.victims[words[0]] += 1
            process.kill()
            process.wait()
            self._note(before)
        finally:
            process.kill()
            process.communicate()

    def _wait_for_another(self, than: Deployment | None, process: subprocess.Popen[str]) -> None:
        """A fifth of the deployments may die while they look around; the others have begun."""
        while process.poll() is None and getattr(last(self.team), "id", None) == getattr(than, "id", None):
            self.budget.clock.sleep(0.02)

    def _note(self, before: Deployment | None) -> None:
        d = last(self.team)
        if d is None or (d.phase.final and before is not None and d.id == before.id):
            self.phases["not begun"] += 1
            return
        self.phases[d.phase.value] += 1
        self.mid_write += not d.phase.final and is_announced(d)

    def _next_image(self) -> str:
        self.release += 1
        return image(self.release)


# Private


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())
