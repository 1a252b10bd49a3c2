"""Deployments back to back in one sandbox: nothing is left behind.

Before, every tenth deployment, and after, it is counted what there is: the sandbox's processes and their memory, files
of the sandbox and of the user's state, rules, listeners, target groups and targets, running tasks, the record's size.
A deployment may leave one task definition and its record; after every fifth one its service is rolled back. Memory may
grow while caches fill, and must not grow with the number of deployments.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psutil

from bluegreen.cli.logs import KEPT
from scripts.campaigns.frame import Budget, Row
from scripts.campaigns.places import image, store_path, team_in, what_is_wrong
from tests.sandbox.team import Team

DEPLOYMENTS = 50
ROLLED_BACK_EVERY = 5
RECORD_BYTES = 100_000
"""What one deployment's record and events may take in the file."""

DAEMON_GROWTH = 0.7e6
"""Bytes of the daemon for each deployment: it keeps up to 20,000 calls, stopped tasks and metrics."""

ENVOY_GROWTH = 0.3e6


def run(budget: Budget) -> list[Row]:
    began = budget.clock.monotonic()
    wanted = budget.of(DEPLOYMENTS, least=3)
    losses: list[str] = []
    with team_in(budget.folder / "soak", Team) as team:
        losses += _deploy(team, budget, 0)
        first = seen = count(team)
        for number in range(1, wanted + 1):
            losses += _deploy(team, budget, number)
            if number % 10 == 0 or number == wanted:
                seen = count(team)
                budget.tell(f"{number} of {wanted}: {seen}")
        losses += list(first.left_behind(seen, wanted))
    took = budget.clock.monotonic() - began
    return [Row("deployments back to back", wanted, min(wanted, len(losses)), took, first.growth(seen), tuple(losses))]


@dataclass(frozen=True)
class Count:
    """What there is at one moment. ``rss`` is resident memory in bytes by program; ``things`` must stay the same."""

    things: dict[str, int]
    rss: dict[str, int]
    definitions: int
    record: int
    logs: int = 0

    def left_behind(self, later: Count, deployments: int) -> list[str]:
        found = [
            f"{name}: {before} before, {later.things[name]} after"
            for name, before in self.things.items()
            if later.things[name] != before
        ]
        if later.definitions - self.definitions > deployments:
            found.append(f"{later.definitions - self.definitions} task definitions for {deployments} deployments")
        if later.record - self.record > deployments * RECORD_BYTES:
            found.append(f"the record grew by {later.record - self.record} bytes")
        if later.logs > KEPT:
            found.append(f"{later.logs} log files: more than {KEPT} are kept")
        for program, bound in (("daemon", DAEMON_GROWTH), ("envoy", ENVOY_GROWTH)):
            if self._grown(later, program) > bound * deployments + 10e6:
                found.append(f"{program} grew by {self._grown(later, program) / 1e6:.0f} MB")
        return found

    def growth(self, later: Count) -> str:
        same = ", ".join(f"{count} {name}" for name, count in later.things.items())
        memory = ", ".join(
            f"{program} {self.rss[program] / 1e6:.0f} → {later.rss[program] / 1e6:.0f} MB" for program in self.rss
        )
        logs = f"{later.logs} logs"
        record = f"record {self.record / 1e3:.0f} → {later.record / 1e3:.0f} kB"
        return (
            f"at the end {same}; {memory}; {record}; {logs}; task definitions {self.definitions} → {later.definitions}"
        )

    def _grown(self, later: Count, program: str) -> int:
        return later.rss[program] - self.rss[program]


def count(team: Team) -> Count:
    processes = _processes(team)
    elb, ecs = team.sandbox.client("elbv2"), team.sandbox.client("ecs")
    balancer = elb.describe_load_balancers(Names=["prod"])["LoadBalancers"][0]["LoadBalancerArn"]
    listeners = elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"]
    rules = [rule for each in listeners for rule in elb.describe_rules(ListenerArn=each["ListenerArn"])["Rules"]]
    groups = elb.describe_target_groups()["TargetGroups"]
    things = {
        "processes": len(processes),
        "listeners": len(listeners),
        "rules": len(rules),
        "target groups": len(groups),
        "targets": sum(len(_targets(elb, group["TargetGroupArn"])) for group in groups),
        "running tasks": team.running("orders-1") + team.running("orders-2"),
        "files of the user": len(_files(team.root, besides=_logs(team))) - len(_files(_sandbox_folder(team))),
    }
    definitions = ecs.list_task_definitions()["taskDefinitionArns"]
    return Count(things, _memory(processes), len(definitions), _record_bytes(team), len(_files(_logs(team))))


# Private


def _deploy(team: Team, budget: Budget, number: int) -> list[str]:
    done = team.run("deploy", "--image", image(number + 2), "-o", "json", seconds=180)
    if done.returncode != 0:
        return [f"deployment {number} ended with {done.returncode}: {done.stderr.strip()[-300:]}"]
    if number % ROLLED_BACK_EVERY == ROLLED_BACK_EVERY - 1:
        back = team.run("rollback", "--wait", seconds=180)
        if back.returncode != 0:
            return [f"rollback {number} ended with {back.returncode}: {back.stderr.strip()[-300:]}"]
    wrong = what_is_wrong(team, budget)
    return [f"deployment {number}: {wrong}"] if wrong else []


def _processes(team: Team) -> list[psutil.Process]:
    """All that works for this sandbox: whatever has its folder among its words, and its children."""
    folder = str(team.root)
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        try:
            if folder in process.cwd() or folder in " ".join(process.cmdline()):
                found |= {each.pid: each for each in (process, *process.children(recursive=True))}
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    found.pop(psutil.Process().pid, None)
    return list(found.values())


def _memory(processes: list[psutil.Process]) -> dict[str, int]:
    sizes = {"daemon": 0, "envoy": 0}
    for process in processes:
        try:
            words = " ".join(process.cmdline())
            program = "daemon" if "bluegreen.sandbox.daemon" in words else "envoy" if "envoy" in process.name() else ""
            if program:
                sizes[program] += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return sizes


def _targets(elb: object, arn: str) -> list[object]:
    health: dict[str, list[object]] = elb.describe_target_health(TargetGroupArn=arn)  # type: ignore[attr-defined]
    return health["TargetHealthDescriptions"]


def _logs(team: Team) -> Path:
    return team.root / "state" / "bluegreen" / "logs"


def _sandbox_folder(team: Team) -> Path:
    return team.root / ".bluegreen" / "sandbox"


def _files(folder: Path, besides: Path | None = None) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and (besides is None or besides not in path.parents)]


def _record_bytes(team: Team) -> int:
    path = store_path(team)
    return sum(each.stat().st_size for each in path.parent.glob(f"{path.name}*"))
