"""The same facts in JSON-ready values. Keys are a public format: they are added to, never renamed.

Times are ISO 8601 in UTC, durations seconds, weights as the load balancer holds them.
"""

from __future__ import annotations

from collections.abc import Sequence

from bluegreen.domain.deployment import Deployment, GateRecord, HookRun, HookStatus, Phase, Route, Slot
from bluegreen.domain.events import Event
from bluegreen.domain.health import Observation, SlotHealth
from bluegreen.domain.release import Release, ReleaseRequest
from bluegreen.domain.service import Lease, ServiceState
from bluegreen.domain.spec import Spec
from bluegreen.domain.split import Split
from bluegreen.report.gates import is_accepted
from bluegreen.report.phases import path_of, spent
from bluegreen.report.shapes import Problem, RollbackPlan, Status
from bluegreen.report.times import iso

Data = dict[str, object]


def event_data(event: Event) -> Data:
    return {
        "at": iso(event.at),
        "kind": str(event.kind),
        "phase": str(event.phase),
        "deployment": event.deployment,
        "service": event.service,
        "message": event.message,
        "data": event.data,
    }


def summary_data(d: Deployment | None, now: float, exit_code: int) -> Data:
    """The last line of a command's JSON events: ``kind`` is ``summary``."""
    return {"kind": "summary", "at": iso(now), "exit_code": exit_code, "deployment": d and deployment_data(d, now=now)}


def deployment_data(d: Deployment, seen: Observation | None = None, *, now: float) -> Data:
    live = seen or Observation()
    return {
        "id": d.id,
        "service": d.service,
        "result": result_word(d),
        "phase": str(d.phase),
        "release": d.release and release_data(d.release),
        "previous": release_data(d.previous),
        "blue": _slot(d.blue, live.slots.get(d.blue.name)),
        "green": _slot(d.green, live.slots.get(d.green.name)),
        "routes": [_route(route, live.live.get(route.name)) for route in d.routes],
        "test_route": d.test_route and _route(d.test_route, live.live.get(d.test_route.name)),
        "gates": dict(live.gates),
        "watched": [_gate(gate, accepted=is_accepted(d, gate)) for gate in d.gates],
        "hooks": [_hook(run) for run in d.hooks],
        "phases": _phases(d, now),
        "step": d.step,
        "waiting": d.waiting and {"reason": d.waiting.reason, "until": _iso(d.waiting.until)},
        "hold": d.hold
        and {"kind": str(d.hold.kind), "reason": d.hold.reason, "since": iso(d.hold.since), "way_out": d.hold.way_out},
        "rollback": _rollback(d),
        "reason": d.request.reason,
        "commit": d.request.commit,
        "started_at": iso(d.started_at),
        "started_by": d.started_by,
        "ended_at": _iso(d.ended_at),
        "seconds": _rounded((d.ended_at or now) - d.started_at),
    }


def result_word(d: Deployment) -> str:
    """``active``, ``held``, ``succeeded`` or ``rolled_back``."""
    if d.phase in (Phase.SUCCEEDED, Phase.ROLLED_BACK):
        return str(d.phase)
    return "held" if d.hold else "active"


def status_data(service: str, status: Status, now: float) -> Data:
    d, seen = status.deployment, status.observation
    return {
        "service": service,
        "problems": list(status.problems),
        "active": status.state.active,
        "deployment": d and deployment_data(d, seen, now=now),
        "slots": {name: _health(health) for name, health in seen.slots.items()},
        "live": {name: _split(split) for name, split in seen.live.items()},
        **_state(status.state, now, gone=status.gone),
    }


def history_data(deployments: Sequence[Deployment], now: float) -> list[Data]:
    return [deployment_data(d, now=now) for d in deployments]


def problem_data(problem: Problem) -> Data:
    return {"severity": problem.severity, "where": problem.where, "message": problem.message, "fix": problem.fix}


def plan_data(service: str, plan: RollbackPlan) -> Data:
    return {
        "service": service,
        "class": plan.klass,
        "summary": plan.summary,
        "writes": list(plan.writes),
        "expected_seconds": plan.seconds,
    }


def plan_of_deploy(spec: Spec, request: ReleaseRequest) -> Data:
    return {
        "service": spec.service,
        "request": {
            "images": dict(request.images),
            "task_definition": request.task_definition,
            "definition": request.definition is not None,
        },
        "shift": [{"percent": step.percent, "wait": step.wait, "at_most": step.at_most} for step in spec.shift],
        "bake": spec.bake,
        "hooks": [{"point": str(hook.point), "name": hook.name} for hook in spec.hooks],
        "gates": [gate.name for gate in spec.gates],
    }


def release_data(release: Release) -> Data:
    return {
        "id": release.id,
        "task_definition": release.task_definition,
        "images": dict(release.images),
        "commit": release.commit,
        "reason": release.reason,
    }


# Private


def _state(state: ServiceState, now: float, *, gone: bool) -> Data:
    wish = state.control
    return {
        "lease": state.lease and _lease(state.lease, now, gone=gone),
        "asked": wish and {"control": str(wish.control), "by": wish.by, "at": iso(wish.at), "reason": wish.reason},
        "known_good": [
            {"release": release_data(entry.release), "deployment": entry.deployment, "at": iso(entry.at)}
            for entry in state.known_good
        ],
        "quarantine": [
            {
                "release": release_data(entry.release),
                "deployment": entry.deployment,
                "reason": entry.reason,
                "at": iso(entry.at),
            }
            for entry in state.quarantine
        ],
    }


def _phases(d: Deployment, now: float) -> list[Data]:
    took = [(phase, spent(d, phase, now)) for phase in path_of(d)]
    return [{"phase": str(phase), "seconds": _rounded(seconds)} for phase, seconds in took if seconds is not None]


def _lease(lease: Lease, now: float, *, gone: bool) -> Data:
    owner = lease.owner
    return {
        "owner": {"user": owner.user, "host": owner.host, "pid": owner.pid, "command": owner.command},
        "token": lease.token,
        "acquired_at": iso(lease.acquired_at),
        "expires_at": iso(lease.expires_at),
        "alive": lease.expires_at > now and not gone,
    }


def _slot(slot: Slot, health: SlotHealth | None) -> Data:
    return {
        "name": slot.name,
        "target_group_arn": slot.target_group_arn,
        "service": slot.service,
        "cluster": slot.cluster,
        "health": health and _health(health),
    }


def _health(health: SlotHealth) -> Data:
    return {
        "desired": health.desired,
        "running": health.running,
        "healthy": health.healthy,
        "targets": dict(health.states),
        "task_definition": health.release,
    }


def _route(route: Route, live: Split | None) -> Data:
    wrote = route.written
    return {
        "name": route.name,
        "arn": route.arn,
        "url": route.url,
        "set": wrote and _split(wrote.split),
        "confirmed": bool(wrote and wrote.confirmed),
        "live": live and _split(live),
    }


def _split(split: Split) -> Data:
    return {"blue": split.blue, "green": split.green, "green_percent": split.green_percent}


def _hook(run: HookRun) -> Data:
    return {
        "point": str(run.point),
        "step": run.step,
        "name": run.name,
        "kind": run.kind,
        "status": str(run.status),
        "attempts": run.attempts,
        "seconds": None if run.ended_at is None else _rounded(run.ended_at - run.started_at),
        "detail": run.detail,
        "output": list(run.output),
        "numbers": dict(run.numbers),
        "links": dict(run.links),
        "dry_run": run.dry_run,
        "waits_for_a_person": run.asks and run.status is HookStatus.RUNNING,
    }


def _gate(gate: GateRecord, *, accepted: bool) -> Data:
    return {
        "name": gate.name,
        "state": gate.state or None,
        "detail": gate.detail,
        "measured_at": _iso(gate.measured_at),
        "accepted": accepted,
        "numbers": dict(gate.numbers),
    }


def _rollback(d: Deployment) -> Data | None:
    facts = d.rollback
    if facts is None:
        return None
    return {
        "reason": facts.reason,
        "by": facts.by,
        "from_phase": str(facts.from_phase),
        "requested_at": iso(facts.requested_at),
        "blue_after": None if facts.blue_at is None else _rounded(facts.blue_at - facts.requested_at),
        "safe_after": None if facts.safe_at is None else _rounded(facts.safe_at - facts.requested_at),
        "not_reverted": list(d.not_reverted),
    }


def _iso(at: float | None) -> str | None:
    return None if at is None else iso(at)


def _rounded(seconds: float) -> float:
    return round(seconds, 3)
