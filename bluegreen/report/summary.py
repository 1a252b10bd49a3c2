"""The last words of a command: what is live, how long it took, what goes on, what to do next."""

from __future__ import annotations

from bluegreen.domain.deployment import Deployment, HookStatus, Phase
from bluegreen.domain.health import Observation
from bluegreen.domain.release import ReleaseRequest
from bluegreen.domain.spec import HookPoint, Spec
from bluegreen.report.gates import verdict_lines
from bluegreen.report.phases import is_worth_a_line, path_of, shift_plan, spent
from bluegreen.report.places import live_traffic
from bluegreen.report.shapes import RollbackPlan
from bluegreen.report.text import Line, Span, Style, line, wrapped
from bluegreen.report.times import duration, span
from bluegreen.report.view import commands, safe_lines, way_lines

NOTHING_SEEN = Observation()


def deploy_summary(d: Deployment, now: float, width: int, seen: Observation = NOTHING_SEEN) -> list[Line]:
    """For whatever state a deployment was left in."""
    head = _headline(d, seen, width)
    took = [
        line(f"  {phase.value:<9} {duration(seconds):>8}")
        for phase in path_of(d)
        if (seconds := spent(d, phase, now)) is not None and is_worth_a_line(d, phase, now)
    ]
    total = line(f"  {'total':<9} {duration((d.ended_at or now) - d.started_at):>8}")
    return [*head, *verdict_lines(d, width), *took, total, *_dry_runs(d, width), *_next(d, width)]


def started_summary(d: Deployment, now: float, width: int) -> list[Line]:
    """Of a deployment that another process drives now. Whoever waits for its end asks for it."""
    words = f"deployment {d.id} of {d.service} has begun, and a process in the background drives it to its end"
    rows = [("follow", f"bluegreen status {d.service} --watch"), ("roll back", f"bluegreen rollback {d.service}")]
    typed = [line(Span(f"  {label:<11}", Style.DIM), Span(each, Style.BOLD)) for label, each in rows]
    return [*wrapped(line(Span("STARTED: ", Style.GOOD)), words, width), *typed]


def rollback_summary(d: Deployment, now: float, width: int) -> list[Line]:
    """Safe or not yet, after how long; what goes on by itself; what was not reverted."""
    if d.ended and d.in_vain:
        return _not_replaced(d, width)
    lines = safe_lines(d, width)
    lines += wrapped(line("  rolled back    "), f"{_release(d)}, in phase {_from(d)}: {_reason(d)}", width)
    lines += wrapped(line("  goes on        "), _goes_on(d), width)
    lines += wrapped(line("  not reverted   "), _not_reverted(d), width)
    if not d.ended:
        return [*lines, *wrapped(line("  follow         "), f"bluegreen status {d.service} --watch", width, Style.BOLD)]
    again = "this release is quarantined: deploying it again needs --force" if d.release else "deploy a mended release"
    return [*lines, *wrapped(line("  next           "), again, width)]


def plan_lines(
    service: str, plan: RollbackPlan, width: int, to: str | None = None, command: str = "rollback"
) -> list[Line]:
    """``rollback --dry-run``: its class, what it would write, how long it takes. ``to``: the release that was named."""
    lines = wrapped(line(Span(f"{service}: ", Style.BOLD)), plan.summary, width)
    for number, sentence in enumerate(plan.writes, 1):
        lines += wrapped(line(f"  {number}. "), sentence, width)
    if plan.klass == "nothing":
        return lines + (wrapped(line("  next        "), plan.hint, width) if plan.hint else [])
    takes = _about(plan)
    lines += wrapped(line("  safe after  "), takes, width)
    done = line(Span("  Dry run: nothing was changed.", Style.DIM))
    typed = f"bluegreen {command} {service}" + (f" --to {to}" if to else "")
    return [*lines, done, line(Span("  to do it    ", Style.DIM), Span(typed, Style.BOLD))]


def requested(request: ReleaseRequest) -> str:
    """What a deploy was asked for, as one phrase."""
    if request.task_definition:
        return request.task_definition.rsplit("/", 1)[-1]
    images = ", ".join(f"{name}={image}" if name else image for name, image in request.images.items())
    if request.definition:
        family = f"a new revision of {request.definition.get('family')}"
        return f"{family} with {images}" if images else family
    return f"the live task definition with {images}"


def deploy_plan_lines(spec: Spec, what: str, width: int) -> list[Line]:
    """``deploy --dry-run``: the phases it would go through."""
    tests = [hook.name for hook in spec.hooks if hook.point is HookPoint.TEST]
    rows = (
        ("launch", "in the idle slot, at the live slot's size, without traffic"),
        ("test", ", ".join(tests) if tests else "no test is configured"),
        ("shift", f"green gets {shift_plan(spec.shift)}"),
        ("bake", f"for {span(spec.bake)} with the live slot kept warm: until then a rollback is a flip"),
        ("teardown", "the slot that is live now is scaled in"),
    )
    lines = wrapped(line(Span(f"{spec.service}: ", Style.BOLD)), f"a deploy would run {what}", width)
    for name, said in rows:
        lines += wrapped(line(f"  {name:<10}"), said, width)
    return [*lines, line(Span("  Dry run: nothing was changed.", Style.DIM))]


# Private


def _not_replaced(d: Deployment, width: int) -> list[Line]:
    """A redeployment that failed: nobody is safe who was not before."""
    still = f"all traffic is still on {d.blue.name} ({d.previous.label}), the release that was to be replaced"
    tried = d.release.label if d.release else requested(d.request)
    lines = wrapped(line(Span("NOT ROLLED BACK: ", Style.BAD)), still, width)
    lines += wrapped(line("  tried          "), f"{tried}, up to phase {_from(d)}: {_reason(d)}", width)
    again = f"bluegreen rollback {d.service}: the next known-good release, or this one again where there is no other"
    lines += wrapped(line("  next           "), again, width, Style.BOLD)
    return [
        *lines,
        *wrapped(line("  or             "), f"bluegreen rollback {d.service} --to RELEASE", width, Style.BOLD),
    ]


def _about(plan: RollbackPlan) -> str:
    if plan.seconds is None:
        waits = "no launch of this service is on record"
        return f"not known: {waits}" if plan.klass == "redeployment" else "not known: blue is waited for"
    if plan.klass == "flip" and plan.seconds <= 1:
        return "less than a second"
    return f"about {duration(plan.seconds)}, the time the last launch took"


def _dry_runs(d: Deployment, width: int) -> list[Line]:
    """Those that said no: it changed nothing, and somebody wants to know."""
    lines: list[Line] = []
    for run in d.hooks:
        if run.dry_run and run.status in (HookStatus.FAILED, HookStatus.UNAVAILABLE):
            word = "failed" if run.status is HookStatus.FAILED else "could not be asked"
            said = f"{run.name} ({run.point}) {word}, which decided nothing: {run.detail}"
            lines += wrapped(line(Span("  dry run    ", Style.WARN)), said, width)
    return lines


def _headline(d: Deployment, seen: Observation, width: int) -> list[Line]:
    release = _release(d)
    if d.phase is Phase.SUCCEEDED:
        words = f"{release} is live in {d.green.name}: it has all traffic and passed its bake."
        return wrapped(line(Span("LIVE: ", Style.GOOD)), words, width)
    if d.phase is Phase.ROLLED_BACK:
        live = d.users() if d.lost else f"{d.previous.label} is live in {d.blue.name}"
        words = f"{live}. {release} was rolled back from {_from(d)}: {_reason(d)}"
        return wrapped(line(Span("ROLLED BACK: ", Style.BAD)), words, width)
    if d.hold:
        words = f"{d.service} waits for a person in {d.phase}: {d.hold.reason}. Traffic: {live_traffic(d, seen)}"
        return wrapped(line(Span("HELD: ", Style.WARN)), words, width)
    words = f"deployment {d.id} stands in {d.phase}. Traffic: {live_traffic(d, seen)}"
    return wrapped(line(Span("UNFINISHED: ", Style.WARN)), words, width)


def _next(d: Deployment, width: int) -> list[Line]:
    if d.hold and not d.ended and d.hold.way_out:
        return way_lines(d.hold.way_out, width)
    rows = commands(d)
    if not d.ended and not d.hold:
        rows = [("go on", f"bluegreen resume {d.service}"), *(row for row in rows if row[0] != "pause")]
    lines = [line(Span(f"  {label:<11}", Style.DIM), Span(typed, Style.BOLD)) for label, typed in rows]
    if d.phase is Phase.SUCCEEDED:
        note = f"would redeploy {d.previous.id}: {d.blue.name} is scaled in"
        if d.condemns:
            note = f"would not go to {d.previous.id}, which is in quarantine: --to {d.previous.id} does"
        return [lines[0], *wrapped(line(" " * 13), note, width, Style.DIM), *lines[1:]]
    return lines


def _release(d: Deployment) -> str:
    return d.release.label if d.release else "a release that was not registered"


def _from(d: Deployment) -> str:
    return d.rollback.from_phase.value if d.rollback else "an unknown phase"


def _reason(d: Deployment) -> str:
    return d.rollback.reason if d.rollback else "no reason is recorded"


def _goes_on(d: Deployment) -> str:
    if d.ended:
        return f"nothing: {d.green.name} is drained and scaled in"
    if d.hold:
        return f"nothing until a person decides: {d.hold.reason}; {d.hold.way_out}"
    if d.let_go:
        return "nothing: a process in the background closes the record"
    facts = d.rollback
    first = "" if facts and facts.safe_at else "blue is verified until no older write can follow; then "
    doing = f" (now: {d.waiting.reason})" if d.waiting else ""
    return f"{first}{d.green.name} drains and is scaled in{doing}"


def _not_reverted(d: Deployment) -> str:
    said = "what the release did outside: database migrations, messages, files"
    if d.release:
        return f"{said}; task definition {d.release.id} stays registered, it runs nowhere"
    return said
