"""Every point of a run at which something can go wrong, tried one by one in a world in memory.

``Scenario`` is a run of the real drivers; ``Fault`` is what goes wrong at one of its calls; ``try_point`` runs into it
and answers what was lost. Dying after an answer was received is dying before the next call: in between, only this
process's memory changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from bluegreen.domain.deployment import Phase
from bluegreen.domain.service import Control
from bluegreen.domain.spec import GateSpec, HealthSpec, HookPoint, HookSpec, RouteSpec, ShiftStep, Spec
from bluegreen.drivers.foreground import deploy, resume
from bluegreen.drivers.inquiry import control
from bluegreen.drivers.rollback import rollback
from bluegreen.errors import BluegreenError, HeldError, LockedError, RefusedError
from bluegreen.hooks.base import Failed, Reading
from tests.faults.watchman import Watchman
from tests.stage import NEW, SPEC, Crash, Recorder, ScriptedGate, ScriptedHook, Stage

STRATEGIES = {
    "all-at-once": (ShiftStep(100, 0),),
    "canary": (ShiftStep(5, 3), ShiftStep(100, 0)),
    "linear": (ShiftStep(25, 2), ShiftStep(50, 2), ShiftStep(75, 2), ShiftStep(100, 0)),
}
LEASE = 31.0
SILENCE = 400.0
"""Seconds after which no write of a dead driver can be in flight (a lease and the life of a signature)."""

Act = Callable[[Stage], object]
Moment = Callable[[str, str], None]
"""Told ``before`` or ``after`` and the call's name; it may raise, which is the fault."""


@dataclass(frozen=True)
class Scenario:
    """``prepare`` brings the world to where ``act`` begins. ``ends`` are the phases in which it may end."""

    name: str
    spec: Spec
    act: Act
    prepare: Callable[[Stage], None] = lambda stage: None
    ends: tuple[Phase, ...] = (Phase.SUCCEEDED, Phase.ROLLED_BACK)

    def stage(self) -> Stage:
        stage = furnished(self.spec)
        self.prepare(stage)
        stage.on_call = lambda when, name: None
        stage.calls.clear()
        return stage


@dataclass(frozen=True)
class Point:
    """The ``number``-th call of a run (from 1), and its name."""

    number: int
    name: str


@dataclass(frozen=True)
class Fault:
    """``build`` makes what is told of each call and raises at the point; ``applies`` to calls of that name."""

    name: str
    build: Callable[[Stage, Point], Moment]
    applies: Callable[[str], bool] = lambda name: True


def small_spec(strategy: str, *points: HookPoint) -> Spec:
    """Two production routes, a test route, a hook for each point, a gate; waits as short as they can be told apart."""
    return replace(
        SPEC,
        production=(RouteSpec("prod", 443), RouteSpec("prod", 443, rule={"path": "/api/*"})),
        shift=STRATEGIES[strategy],
        bake=4,
        settle=2,
        health=HealthSpec(100, 2),
        hooks=tuple(HookSpec(point, point.value, "scripted") for point in points),
        gates=(GateSpec("orders-5xx", "alarm"),),
    )


def furnished(spec: Spec) -> Stage:
    """A stage whose routes log users in first, and whose gate is asked like everything else."""
    stage = Stage(spec)
    login = {"Type": "authenticate-cognito", "Order": 1, "AuthenticateCognitoConfig": {"UserPoolArn": "arn:pool"}}
    for route in stage.router.routes.values():
        route.actions = [login, {**route.actions[-1], "Order": 2}]

    def read() -> Reading:
        stage._before("gate.check")
        stage._after("gate.check")
        return Reading("ok", "quiet")

    for gate in spec.gates:
        stage.gates[gate.name] = ScriptedGate(read)
    return stage


def deployments() -> list[Scenario]:
    return [Scenario(f"deploy, {name}", small_spec(name, HookPoint.TEST), _deploy) for name in STRATEGIES]


def automatic_rollbacks(strategies: tuple[str, ...] = tuple(STRATEGIES)) -> list[Scenario]:
    """A hook says no before there is traffic on green, in the middle, and at the end of the bake."""
    points = (HookPoint.AFTER_LAUNCH, HookPoint.TEST, HookPoint.AFTER_STEP, HookPoint.BEFORE_TEARDOWN)
    return [
        Scenario(
            f"automatic rollback in {point.value}, {strategy}",
            small_spec(strategy, point),
            _deploy,
            _refusing(point),
            ends=(Phase.ROLLED_BACK,),
        )
        for strategy in strategies
        for point in points
    ]


def rollbacks_by_hand(strategies: tuple[str, ...] = tuple(STRATEGIES)) -> list[Scenario]:
    """At each phase of a deployment whose driver died there long ago."""
    phases = (Phase.PENDING, Phase.LAUNCH, Phase.TEST, Phase.SHIFT, Phase.BAKE, Phase.TEARDOWN)
    flips = [
        Scenario(
            f"rollback by hand in {phase.value}, {strategy}",
            small_spec(strategy, HookPoint.TEST),
            _roll_back,
            _stopped_in(phase, strategy),
        )
        for strategy in strategies
        for phase in phases
    ]
    cold = Scenario(
        "rollback by hand in teardown, blue already scaled in",
        small_spec("all-at-once"),
        _roll_back,
        _stopped_after("compute.scale"),
    )
    ended = Scenario("rollback by hand after teardown", small_spec("all-at-once"), _roll_back, _deployed)
    return [*flips, cold, ended]


def autoscaled(scenario: Scenario) -> Scenario:
    """The same with a scalable target for each slot."""

    def prepare(stage: Stage) -> None:
        stage.scaling.add(stage.one, 1, 10)
        stage.scaling.add(stage.two, 0, 6)
        scenario.prepare(stage)

    return replace(scenario, name=f"{scenario.name}, autoscaled", prepare=prepare)


def points(scenario: Scenario) -> list[Point]:
    """Every call of one undisturbed run."""
    stage = scenario.stage()
    scenario.act(stage)
    return [Point(number, name) for number, name in enumerate(stage.calls, 1)]


def try_point(scenario: Scenario, fault: Fault, point: Point, watched: list[int] | None = None) -> str | None:
    """Run into the fault, let another driver take over if need be, and judge. None, or what was lost."""
    stage = scenario.stage()
    watchman = Watchman(stage)
    strike = fault.build(stage, point)
    stage.on_call = _both(watchman.look, strike)
    failed = _run(stage, lambda: scenario.act(stage))
    stage.on_call = watchman.look
    if watched is not None:
        watched.append(watchman.instants)
    return judge(scenario, stage, watchman, failed, f"{scenario.name}: {fault.name} at {point.number}, {point.name}")


def try_rollback_instead(
    scenario: Scenario, fault: Fault, point: Point, watched: list[int] | None = None
) -> str | None:
    """The driver dies; the on-call does not resume but rolls back, while the dead one's lease may still be held."""
    stage = scenario.stage()
    watchman = Watchman(stage)
    stage.on_call = _both(watchman.look, fault.build(stage, point))
    failed = _run(stage, lambda: scenario.act(stage))
    stage.on_call = watchman.look
    if failed is not None and stage.memory.service("orders").active is not None:
        failed = _run(stage, lambda: _roll_back(stage))
    if watched is not None:
        watched.append(watchman.instants)
    where = f"{scenario.name}: {fault.name} at {point.number}, {point.name}, then rolled back"
    lost = judge(scenario, stage, watchman, failed, where)
    if failed not in (None, "crash"):
        return f"{where}: {failed}"
    return lost


def try_death_of_two(
    scenario: Scenario, fault: Fault, point: Point, second: int, watched: list[int] | None = None
) -> str | None:
    """The driver dies, another resumes and dies at its ``second``-th call, a third one ends it.

    ``second`` counts the moments before and after calls. Beyond the second driver's last call nobody dies.
    """
    stage = scenario.stage()
    watchman = Watchman(stage)
    stage.on_call = _both(watchman.look, fault.build(stage, point))
    failed = _run(stage, lambda: scenario.act(stage))
    if failed is not None and stage.memory.service("orders").active is not None:
        stage.clock.sleep(LEASE)
        again = die("before" if second % 2 else "after").build(stage, Point((second + 1) // 2, ""))
        stage.on_call = _both(watchman.look, again)
        failed = _run(stage, lambda: resume(stage.session("resume", "second"), "orders", Recorder()))
    stage.on_call = watchman.look
    if watched is not None:
        watched.append(watchman.instants)
    where = f"{scenario.name}: {fault.name} at {point.number}, {point.name}, and again at moment {second} of the resume"
    return judge(scenario, stage, watchman, failed, where)


def judge(scenario: Scenario, stage: Stage, watchman: Watchman, failed: str | None, where: str) -> str | None:
    try:
        converge(stage, scenario, failed)
    except BluegreenError as error:
        return f"{where}: no driver could finish it: {type(error).__name__}: {error.message}"
    found = [*watchman.broken, *watchman.left_over()]
    known = stage.memory.history("orders", 1)
    if known and known[0].phase not in scenario.ends:
        found.append(f"ended {known[0].phase.value}")
    return f"{where}: {'; '.join(found[:4])}" if found else None


def converge(stage: Stage, scenario: Scenario, failed: str | None) -> None:
    """As a person would: once the fault is gone, resume; where nothing had begun, type the command again."""
    for turn in range(4):
        if stage.memory.service("orders").active is None:
            if failed is None or turn:
                return
            stage.clock.sleep(LEASE)
            failed = _run(stage, lambda: scenario.act(stage))
            continue
        stage.clock.sleep(LEASE)
        _resume(stage, f"machine-{turn}")
    if stage.memory.service("orders").active is not None:
        _resume(stage, "the-last-machine")


def die(when: str) -> Fault:
    """The process is gone: before the call is made, or after it took effect and before its answer came."""

    def build(stage: Stage, point: Point) -> Moment:
        made = 0

        def strike(moment: str, name: str) -> None:
            nonlocal made
            if moment == when:
                made += 1
                if made == point.number:
                    raise Crash(f"{when} {name}")

        return strike

    return Fault(f"died {when}", build)


# Private


def _both(first: Moment, second: Moment) -> Moment:
    def told(when: str, name: str) -> None:
        first(when, name)
        second(when, name)

    return told


def _run(stage: Stage, act: Callable[[], object]) -> str | None:
    """None when it came to its end; else what ended it."""
    try:
        act()
    except Crash:
        return "crash"
    except BluegreenError as error:
        return f"{type(error).__name__}: {error.message}"
    return None


def _resume(stage: Stage, host: str) -> None:
    """``bluegreen resume``: leaves the wish first, as a hold asks for, then drives."""
    session = stage.session("resume", host)
    try:
        if stage.latest().hold is not None:
            control(session, "orders", Control.RESUME)
        resume(session, "orders", Recorder())
    except (HeldError, LockedError, RefusedError):
        if stage.memory.service("orders").active is not None and host == "the-last-machine":
            raise


def _deploy(stage: Stage) -> object:
    return deploy(stage.session(), stage.spec, NEW, Recorder())


def _roll_back(stage: Stage) -> object:
    return rollback(stage.session("rollback", host="phone"), "orders", Recorder())


def _deployed(stage: Stage) -> None:
    _deploy(stage)
    stage.clock.sleep(SILENCE)


def _refusing(point: HookPoint) -> Callable[[Stage], None]:
    def prepare(stage: Stage) -> None:
        stage.hooks[point.value] = ScriptedHook([Failed("this release is bad")])

    return prepare


def _stopped_in(phase: Phase, strategy: str) -> Callable[[Stage], None]:
    """Its driver died in the middle of this phase: in the shift, with traffic on both."""

    def is_there(stage: Stage, name: str) -> bool:
        if name != "store.load" or stage.phase() is not phase:
            return False
        mixed = phase is Phase.SHIFT and len(STRATEGIES[strategy]) > 1
        return not mixed or len(stage.weights()) == 2

    return _stopped(lambda stage, when, name: when == "before" and is_there(stage, name))


def _stopped_after(call: str) -> Callable[[Stage], None]:
    return _stopped(lambda stage, when, name: when == "after" and name == call)


def _stopped(here: Callable[[Stage, str, str], bool]) -> Callable[[Stage], None]:
    def prepare(stage: Stage) -> None:
        def on_call(when: str, name: str) -> None:
            if here(stage, when, name):
                raise Crash

        stage.on_call = on_call
        assert _run(stage, lambda: _deploy(stage)) == "crash", "the deployment never came to this point"
        stage.clock.sleep(SILENCE)

    return prepare


def every(scenarios: list[Scenario], faults: list[Fault]) -> Iterator[tuple[Scenario, Fault, Point]]:
    for scenario in scenarios:
        for point in points(scenario):
            for fault in faults:
                if fault.applies(point.name):
                    yield scenario, fault, point


def pairs_of_deaths(scenarios: list[Scenario], faults: list[Fault]) -> Iterator[tuple[Scenario, Fault, Point, int]]:
    """A death of the first driver with each moment of an undisturbed run: the second driver's run is hardly longer."""
    for scenario in scenarios:
        calls = points(scenario)
        for point in calls:
            for fault in faults:
                yield from ((scenario, fault, point, second) for second in range(1, 2 * len(calls) + 1))
