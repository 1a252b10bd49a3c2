"""The phase list: where a deployment stands, how long each phase took, and what its hooks said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bluegreen.domain.deployment import Deployment, HookRun, HookStatus, Phase
from bluegreen.domain.spec import HookPoint, ShiftStep
from bluegreen.report.text import Glyphs, Line, Span, Style, line
from bluegreen.report.times import countdown, duration, span

PHASE_OF_POINT = {
    HookPoint.BEFORE_LAUNCH: Phase.LAUNCH,
    HookPoint.AFTER_LAUNCH: Phase.LAUNCH,
    HookPoint.TEST: Phase.TEST,
    HookPoint.BEFORE_SHIFT: Phase.SHIFT,
    HookPoint.AFTER_STEP: Phase.SHIFT,
    HookPoint.AFTER_SHIFT: Phase.SHIFT,
    HookPoint.BAKE: Phase.BAKE,
    HookPoint.BEFORE_TEARDOWN: Phase.TEARDOWN,
    HookPoint.ON_SUCCESS: Phase.TEARDOWN,
    HookPoint.ON_ROLLBACK: Phase.ROLLBACK,
}
_PATH = (Phase.LAUNCH, Phase.TEST, Phase.SHIFT, Phase.BAKE, Phase.TEARDOWN)


def phase_lines(d: Deployment, now: float, glyphs: Glyphs, *, hooks: str = "all", ended: bool = True) -> list[Line]:
    """``hooks``: ``all``, ``open`` (running or not passed) or ``none``; without ``ended`` only what is to come."""
    lines: list[Line] = []
    for phase in path_of(d):
        if _ended(d, phase) and not (ended and is_worth_a_line(d, phase, now)):
            continue
        lines.append(_phase_line(d, phase, now, glyphs))
        for run in _runs(d, phase):
            lines += _hook_lines(_with_its_question(d, run), now, glyphs) if _is_shown(run, hooks) else []
    return lines


def path_of(d: Deployment) -> list[Phase]:
    """The phases this deployment went through and those ahead of it."""
    seen = [span.phase for span in d.spans if not span.phase.final]
    if d.phase is Phase.PENDING and Phase.PENDING not in seen:
        seen.insert(0, Phase.PENDING)
    if Phase.ROLLBACK in seen or d.phase in (Phase.ROLLBACK, Phase.ROLLED_BACK):
        return list(dict.fromkeys([*seen, Phase.ROLLBACK]))
    return list(dict.fromkeys([*seen, *_PATH]))


def spent(d: Deployment, phase: Phase, now: float) -> float | None:
    """Seconds in a phase, all visits together; None when it has not begun."""
    spans = [span for span in d.spans if span.phase is phase]
    if not spans:
        return None
    return sum((span.ended_at if span.ended_at is not None else d.ended_at or now) - span.began_at for span in spans)


def is_worth_a_line(d: Deployment, phase: Phase, now: float) -> bool:
    """Registering a release takes a moment, and nobody needs to read that it did."""
    return phase is not Phase.PENDING or (spent(d, phase, now) or 0) >= 1


def failed_phase(d: Deployment) -> Phase | None:
    return d.rollback.from_phase if d.rollback else None


def describe_phase(d: Deployment, phase: Phase, now: float) -> str:
    """What a phase is doing, did, or will do; empty when its name says it all."""
    match phase:
        case Phase.PENDING:
            return "registering the release"
        case Phase.LAUNCH:
            return f"{d.release.id if d.release else 'the new release'} in {d.green.name}"
        case Phase.TEST:
            return _describe_test(d)
        case Phase.SHIFT:
            return _describe_shift(d)
        case Phase.BAKE:
            return _describe_bake(d, now)
        case Phase.TEARDOWN:
            return f"scale in {d.blue.name}"
        case Phase.ROLLBACK:
            return d.rollback.reason if d.rollback else ""
        case _:
            return ""


def describe_plan(d: Deployment) -> str:
    """The shift as one phrase: ``5% for 5m, then 100%``."""
    return shift_plan(d.spec.shift)


def shift_plan(steps: Sequence[ShiftStep]) -> str:
    said = [f"{step.percent:g}%{_how_long(step)}" for step in steps]
    if len(said) > 5:
        said = [*said[:3], f"... {len(said) - 4} more ...", said[-1]]
    return ", then ".join(said)


def hook_numbers(run: HookRun) -> str:
    """The first few numbers that its words do not tell already, as ``p99 0.21, requests 100``."""
    told = [f"{name} {number(value)}" for name, value in run.numbers.items() if name != "seconds"]
    return ", ".join([number for number in told if number.split()[-1] not in run.detail][:4])


def number(value: float) -> str:
    """To four digits, and never as ``1.5e+04``: a count of requests is read as one."""
    return f"{value:.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.4g}"


# Private


def _how_long(step: ShiftStep) -> str:
    if step.at_most is not None:
        return f" until the verdict ({span(step.wait)} to {span(step.at_most)})"
    return f" for {span(step.wait)}" if step.wait else ""


def _phase_line(d: Deployment, phase: Phase, now: float, glyphs: Glyphs) -> Line:
    mark, style = _mark(d, phase, glyphs)
    seconds = spent(d, phase, now)
    took = "" if seconds is None else duration(seconds)
    name_style = Style.BOLD if d.phase is phase else Style.DIM if seconds is None else Style.PLAIN
    return line(
        "  ",
        Span(mark, style),
        " ",
        Span(f"{phase.value:<9}", name_style),
        f" {took:>8}  ",
        Span(describe_phase(d, phase, now), Style.PLAIN if d.phase is phase else Style.DIM),
    )


def _mark(d: Deployment, phase: Phase, glyphs: Glyphs) -> tuple[str, Style]:
    if d.phase is phase:
        return (glyphs.held, Style.WARN) if d.hold or d.paused else (glyphs.now, Style.BOLD)
    if failed_phase(d) is phase:
        return glyphs.failed, Style.BAD
    return (glyphs.done, Style.GOOD) if _ended(d, phase) else (glyphs.later, Style.DIM)


def _ended(d: Deployment, phase: Phase) -> bool:
    return d.phase is not phase and any(span.phase is phase for span in d.spans)


def _describe_test(d: Deployment) -> str:
    wanted = [hook for hook in d.spec.hooks if hook.point is HookPoint.TEST and not hook.dry_run]
    if not wanted:
        return "no test is configured"
    through = "" if d.test_route is None else f" through {d.test_route.name}"
    if not any(span.phase is Phase.TEST for span in d.spans):
        return f"{len(wanted)} test{'s' if len(wanted) > 1 else ''}{through}"
    runs = [run for run in d.hooks if run.point is HookPoint.TEST and not run.dry_run]
    passed = sum(run.status is HookStatus.PASSED for run in runs)
    return f"{passed} of {len(wanted)} tests passed{through}"


def _describe_shift(d: Deployment) -> str:
    if d.phase is not Phase.SHIFT or d.step < 0:
        return describe_plan(d)
    return f"step {d.step + 1} of {len(d.spec.shift)}: {d.spec.shift[d.step].percent:g}% ({describe_plan(d)})"


def _describe_bake(d: Deployment, now: float) -> str:
    warm = f"{d.blue.name} stays warm"
    if d.phase is Phase.BAKE and d.bake_until is not None:
        return f"ends in {countdown(d.bake_until - now)}; {warm}"
    return f"for {span(d.spec.bake)}; {warm}" if d.spec.bake else "no bake time is configured"


def _runs(d: Deployment, phase: Phase) -> list[HookRun]:
    return [run for run in d.hooks if PHASE_OF_POINT[run.point] is phase]


def _is_shown(run: HookRun, hooks: str) -> bool:
    return hooks == "all" or (hooks == "open" and run.status is not HookStatus.PASSED)


def _with_its_question(d: Deployment, run: HookRun) -> HookRun:
    """What a person is asked, as the configuration has it: whoever looks from elsewhere is to answer it."""
    if not run.asks or run.status is not HookStatus.RUNNING or run.detail:
        return run
    specs = [spec for spec in d.spec.hooks if (spec.point, spec.name) == (run.point, run.name)]
    return replace(run, detail=str(specs[0].settings.get("message") or "")) if specs else run


def _hook_lines(run: HookRun, now: float, glyphs: Glyphs) -> list[Line]:
    links = [line(" " * 8, Span(f"{name}: {place}", Style.DIM)) for name, place in run.links.items()]
    return [_hook_line(run, now, glyphs), *links]


def _hook_line(run: HookRun, now: float, glyphs: Glyphs) -> Line:
    marks = {
        HookStatus.RUNNING: (glyphs.now, Style.BOLD),
        HookStatus.PASSED: (glyphs.done, Style.GOOD),
        HookStatus.FAILED: (glyphs.failed, Style.BAD),
        HookStatus.UNAVAILABLE: (glyphs.failed, Style.WARN),
        HookStatus.CANCELLED: (glyphs.later, Style.DIM),
    }
    mark, style = marks[run.status]
    if run.dry_run and style is Style.BAD:
        style = Style.WARN
    took = duration((run.ended_at if run.ended_at is not None else now) - run.started_at)
    place = run.point.value + (f" {run.step + 1}" if run.point is HookPoint.AFTER_STEP else "")
    tries = f" (attempt {run.attempts})" if run.attempts > 1 else ""
    said = "could not be asked: " + run.detail if run.status is HookStatus.UNAVAILABLE else run.detail
    numbers = f" ({numbered})" if (numbered := hook_numbers(run)) else ""
    dry = " (dry run: decides nothing)" if run.dry_run else ""
    said = f"{said}{numbers}"
    return line(" " * 6, Span(mark, style), f" {place} {run.name}{dry}{tries}  {took}  ", Span(said, Style.DIM))
