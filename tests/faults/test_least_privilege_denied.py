"""AWS refuses a call for good: a permission is missing, or the session expired. Named, held, nothing half-done.

Exhaustive in memory, over every call to the world of a whole deployment and of a rollback.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from bluegreen.domain.deployment import HoldKind, Phase
from bluegreen.domain.service import Control
from bluegreen.domain.split import Split
from bluegreen.drivers.foreground import deploy, resume
from bluegreen.drivers.inquiry import control, observe
from bluegreen.drivers.rollback import rollback
from bluegreen.drivers.without_record import flip_without_record, plan_without_record
from bluegreen.errors import (
    AccessDeniedError,
    BluegreenError,
    CredentialsError,
    HeldError,
    RefusedError,
    StoreUnavailableError,
)
from tests.stage import NEW, PRODUCTION, SPEC, Recorder, Stage, Watchman

pytestmark = pytest.mark.faults

ACTION = "elasticloadbalancing:ModifyListener"
DENIED = AccessDeniedError(f"not allowed: {ACTION} on the-listener", operation=ACTION, hint=f"grant {ACTION}")
EXPIRED = CredentialsError("AWS does not accept the credentials (ExpiredTokenException)", hint="aws sso login")
SHORT = replace(SPEC, bake=30)
TWO_ROUTES = replace(SPEC, production=(PRODUCTION, replace(PRODUCTION, port=80)), bake=30)


def is_world(name: str) -> bool:
    return not name.startswith("store.")


def refuse(stage: Stage, error: BluegreenError, when: Callable[[int, str], bool]) -> None:
    """Refuse each call to the world for which ``when(its number, its name)``; rules are watched meanwhile."""
    watchman = Watchman(stage)
    made = 0

    def on_call(moment: str, name: str) -> None:
        nonlocal made
        watchman.look(moment, name)
        if moment == "before" and is_world(name):
            made += 1
            if when(made, name):
                raise error
        assert not watchman.broken, watchman.broken

    stage.on_call = on_call


def allow(stage: Stage) -> None:
    watchman = Watchman(stage)

    def on_call(moment: str, name: str) -> None:
        watchman.look(moment, name)
        assert not watchman.broken, watchman.broken

    stage.on_call = on_call


def world_calls(stage: Stage, act: Callable[[Stage], object]) -> range:
    """The numbers of the calls to the world in an undisturbed run."""
    stage.calls.clear()
    act(stage)
    return range(1, 1 + sum(is_world(name) for name in stage.calls))


def run(stage: Stage) -> object:
    return deploy(stage.session(), SHORT, NEW, Recorder())


def go_on(stage: Stage) -> None:
    """As ``bluegreen resume`` does."""
    session = stage.session("resume", host="elsewhere")
    control(session, "orders", Control.RESUME)
    resume(session, "orders", Recorder())


def outcomes(error: BluegreenError, lasting: bool) -> Iterator[tuple[int, Stage, BluegreenError | None]]:
    for number in world_calls(Stage(SHORT), run):
        stage = Stage(SHORT)
        refuse(stage, error, lambda made, name, n=number: made >= n if lasting else made == n)  # type: ignore[misc]
        try:
            run(stage)
        except BluegreenError as raised:
            yield number, stage, raised
        else:
            yield number, stage, None


def what_holds(act: Callable[[], object]) -> str:
    """The message of the hold; empty where it came to its end."""
    try:
        act()
    except HeldError as error:
        return error.message
    return ""


def lease_is_free(stage: Stage) -> bool:
    return stage.memory.service("orders").lease is None


@pytest.mark.parametrize("error", [DENIED, EXPIRED], ids=["denied", "expired"])
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from-then-on"])
def test_refused_call_never_leaves_a_deployment_without_a_word(error: BluegreenError, lasting: bool) -> None:
    seen: set[str] = set()
    for number, stage, raised in outcomes(error, lasting):
        assert lease_is_free(stage), number
        if not stage.memory.history("orders"):
            assert isinstance(raised, RefusedError), (number, raised)
            assert error.message in raised.message
            assert stage.weights() == {"orders-1": 100}
            assert not stage.compute.changes
            seen.add("refused")
        elif isinstance(raised, HeldError):
            hold = stage.latest().hold
            assert hold is not None, number
            assert hold.kind is HoldKind.PERMISSION, (number, hold)
            assert error.message in hold.reason, number
            assert "bluegreen resume orders" in hold.way_out, number
            seen.add(stage.latest().phase.value)
        else:
            assert raised is None, (number, raised)
            assert stage.latest().phase in (Phase.ROLLED_BACK, Phase.SUCCEEDED), number
    assert {"refused", "launch", "test", "shift", "bake", "teardown"} <= seen


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from-then-on"])
def test_deployment_that_was_refused_a_call_goes_on_once_it_is_granted(lasting: bool) -> None:
    for number, stage, raised in outcomes(DENIED, lasting):
        if isinstance(raised, HeldError):
            turning_back = stage.latest().phase is Phase.ROLLBACK
            allow(stage)
            go_on(stage)
            expected = (Phase.ROLLED_BACK, "orders-1") if turning_back else (Phase.SUCCEEDED, "orders-2")
            assert (stage.latest().phase, *stage.weights()) == expected, number
            assert stage.latest().hold is None, number


def test_deployment_that_was_refused_a_call_can_be_rolled_back_by_someone_who_may() -> None:
    for number, stage, raised in outcomes(EXPIRED, True):
        if isinstance(raised, HeldError):
            allow(stage)
            rollback(stage.session("rollback", host="phone"), "orders", Recorder())
            assert stage.latest().phase is Phase.ROLLED_BACK, number
            assert stage.weights() == {"orders-1": 100}, number
            assert stage.compute.services["orders-2"].desired == 0, number


@pytest.mark.parametrize("error", [DENIED, EXPIRED], ids=["denied", "expired"])
def test_rollback_that_is_refused_a_call_says_what_stands_and_is_done_when_repeated(error: BluegreenError) -> None:
    def act(stage: Stage) -> object:
        return rollback(stage.session("rollback"), "orders", Recorder())

    held = 0
    for number in world_calls(held_at_five_percent(), act):
        stage = held_at_five_percent()
        refuse(stage, error, lambda made, name, n=number: made >= n)  # type: ignore[misc]
        said = what_holds(lambda stage=stage: act(stage))  # type: ignore[misc]
        if said:
            assert error.message in said, number
            assert "The rollback is not done" in said, number
            assert lease_is_free(stage), number
            allow(stage)
            rollback(stage.session("rollback"), "orders", Recorder())
            held += 1
        assert stage.latest().phase is Phase.ROLLED_BACK, number
        assert stage.weights() == {"orders-1": 100}, number
    assert held > 8


def test_hold_for_a_permission_names_action_resource_live_split_and_the_policy() -> None:
    stage = held_at_five_percent()
    hold = stage.latest().hold
    assert hold is not None
    assert f"{ACTION} on the-listener" in hold.reason
    assert (
        "stands at blue 95% / green 5%. Until the deployment goes on, only bluegreen attend watches it" in hold.reason
    )
    assert "bluegreen iam-policy" in hold.way_out
    status = observe(stage.session("status"), "orders")
    assert status.deployment is not None
    assert status.deployment.hold == hold
    assert set(status.observation.live.values()) == {Split(95, 5)}


def test_permission_that_is_missing_before_the_launch_turns_back_and_leaves_the_service_free() -> None:
    stage = Stage(SHORT)
    refuse(stage, DENIED, lambda made, name: name == "compute.prepare")
    ended = deploy(stage.session(), SHORT, NEW, Recorder())
    assert ended.phase is Phase.ROLLED_BACK
    assert ended.rollback is not None
    assert f"nothing was launched: {DENIED.message}" == ended.rollback.reason
    assert stage.memory.service("orders").active is None
    assert stage.memory.service("orders").quarantine == ()
    allow(stage)
    assert deploy(stage.session(), SHORT, NEW, Recorder()).phase is Phase.SUCCEEDED


def test_reasons_that_may_not_be_read_do_not_keep_back_the_rollback() -> None:
    stage = Stage(SHORT)
    lost = False

    def on_call(moment: str, name: str) -> None:
        nonlocal lost
        if moment == "before" and name == "compute.diagnose":
            raise AccessDeniedError("not allowed: ecs:ListTasks")
        if stage.phase() is Phase.BAKE and not lost:
            lost = True
            stage.compute.kill(stage.two)
            stage.compute.mark(stage.two, "unhealthy")
            stage.compute.starts_after = 10**6

    stage.on_call = on_call
    ended = deploy(stage.session(), SHORT, NEW, Recorder())
    assert ended.phase is Phase.ROLLED_BACK
    assert ended.rollback is not None
    assert "not allowed: ecs:ListTasks" in ended.rollback.reason


def test_route_that_may_not_be_written_does_not_keep_the_other_one_on_green() -> None:
    stage = Stage(TWO_ROUTES)
    refuse(stage, DENIED, lambda made, name: stage.phase() is Phase.BAKE)
    with pytest.raises(HeldError):
        deploy(stage.session(), TWO_ROUTES, NEW, Recorder())
    first = True

    def deny_first(made: int, name: str) -> bool:
        nonlocal first
        denied, first = name == "router.modify" and first, first and name != "router.modify"
        return denied

    refuse(stage, DENIED, deny_first)
    with pytest.raises(HeldError, match="The rollback is not done"):
        rollback(stage.session("rollback"), "orders", Recorder())
    assert [stage.weights(0), stage.weights(1)] == [{"orders-2": 100}, {"orders-1": 100}]
    allow(stage)
    rollback(stage.session("rollback"), "orders", Recorder())
    assert [stage.weights(0), stage.weights(1)] == [{"orders-1": 100}, {"orders-1": 100}]


def test_rollback_without_the_record_goes_on_to_the_other_routes_and_says_which_is_left() -> None:
    stage = Stage(TWO_ROUTES)
    refuse(stage, DENIED, lambda made, name: stage.phase() is Phase.BAKE)
    with pytest.raises(HeldError):
        deploy(stage.session(), TWO_ROUTES, NEW, Recorder())
    allow(stage)
    session = stage.session("rollback")
    bare = plan_without_record(session, TWO_ROUTES, to="orders-1")
    written = 0

    def deny_first(made: int, name: str) -> bool:
        nonlocal written
        written += name == "router.modify"
        return name == "router.modify" and written == 1

    refuse(stage, DENIED, deny_first)
    with pytest.raises(HeldError, match=f"all traffic is on orders-1.*could not be written: {DENIED.message}"):
        flip_without_record(session, bare)
    assert [stage.weights(0), stage.weights(1)] == [{"orders-2": 100}, {"orders-1": 100}]


def test_store_that_refuses_the_identity_is_not_waited_for() -> None:
    stage = Stage(SHORT)

    def on_call(moment: str, name: str) -> None:
        if moment == "before" and name.startswith("store.") and stage.phase() is Phase.SHIFT:
            error = StoreUnavailableError("the state store dynamodb://t fails: expired", hint="aws sso login")
            raise error from EXPIRED

    stage.on_call = on_call
    began = stage.clock.monotonic()
    with pytest.raises(HeldError) as raised:
        deploy(stage.session(), SHORT, NEW, Recorder())
    assert stage.clock.monotonic() - began < 60
    assert "expired" in raised.value.message
    assert "bluegreen resume orders" in str(raised.value.hint)
    allow(stage)
    stage.clock.sleep(31)
    go_on(stage)
    assert stage.latest().phase is Phase.SUCCEEDED


def held_at_five_percent() -> Stage:
    stage = Stage(SHORT)
    modified = 0

    def second_shift(made: int, name: str) -> bool:
        nonlocal modified
        modified += name == "router.modify" and stage.phase() is Phase.SHIFT
        return name == "router.modify" and modified == 2

    refuse(stage, DENIED, second_shift)
    with pytest.raises(HeldError):
        run(stage)
    allow(stage)
    return stage
