"""A split's write when calls are lost, answers are old, or another writer comes in between."""

from __future__ import annotations

import json

import pytest

from bluegreen.clock import FakeClock
from bluegreen.domain.deployment import Route, Slot
from bluegreen.domain.spec import RouteSpec
from bluegreen.domain.split import ALL_BLUE, ALL_GREEN, Split
from bluegreen.errors import RefusedError, UnreachableError
from bluegreen.traffic.actions import live_route, with_split
from bluegreen.traffic.conditions import describe, matches
from bluegreen.traffic.fake import FakeRouter, forward_to

BLUE = Slot("orders-1", "arn:tg/orders-1", "orders-1", "production")
GREEN = Slot("orders-2", "arn:tg/orders-2", "orders-2", "production")


def no_fence() -> None:
    """This driver may write."""


class Lost:
    """Loses the answer of every modify: before it took effect, or after."""

    def __call__(self, name: str) -> None:
        if name == "router.modify":
            raise UnreachableError("no answer")


def routed(router: FakeRouter) -> Route:
    made = router.add(RouteSpec("prod", 80), {BLUE.target_group_arn: 100, GREEN.target_group_arn: 0})
    return router.resolve(made.spec, (BLUE, GREEN))


def test_lost_answer_of_a_write_that_took_effect_is_a_success() -> None:
    router = FakeRouter(after_call=Lost())
    assert router.shift(routed(router), BLUE, GREEN, ALL_GREEN, no_fence).split == ALL_GREEN


def test_lost_write_is_unreachable_and_never_repeated() -> None:
    router = FakeRouter(before_call=Lost())
    with pytest.raises(UnreachableError):
        router.shift(routed(router), BLUE, GREEN, ALL_GREEN, no_fence)
    assert router.calls.count("router.modify") == 1


def test_stale_reads_are_outwaited_without_a_second_write() -> None:
    clock = FakeClock()
    router = FakeRouter(clock=clock)
    route = routed(router)
    began = clock.monotonic()
    router.stale_reads = 3
    assert router.shift(route, BLUE, GREEN, ALL_GREEN, no_fence).split == ALL_GREEN
    assert len(router.writes) == 1
    assert 0 < clock.monotonic() - began <= 1.1


def test_another_writer_in_between_is_answered_not_overwritten() -> None:
    router = FakeRouter()
    route = routed(router)

    def other_writer(name: str) -> None:
        if name == "router.modify":
            router.set_weights(route.arn, {BLUE.target_group_arn: 3, GREEN.target_group_arn: 1})

    router.after_call = other_writer
    assert router.shift(route, BLUE, GREEN, ALL_GREEN, no_fence).split == Split(3, 1)
    assert len(router.writes) == 1


def test_sticky_target_group_needs_a_sticky_forward() -> None:
    router = FakeRouter()
    route = routed(router)
    router.routes[route.arn].sticky_targets = frozenset({GREEN.target_group_arn})
    with pytest.raises(RefusedError, match="stickiness"):
        router.shift(route, BLUE, GREEN, ALL_GREEN, no_fence)


def test_forward_that_is_not_last_is_refused() -> None:
    forward = forward_to({BLUE.target_group_arn: 1})
    with pytest.raises(RefusedError, match="as the last action"):
        live_route([forward | {"Order": 1}, {"Type": "authenticate-cognito", "Order": 2}], BLUE, GREEN, place="here")


def test_order_decides_which_action_is_last_not_the_list() -> None:
    actions = [forward_to({BLUE.target_group_arn: 1}) | {"Order": 2}, {"Type": "authenticate-cognito", "Order": 1}]
    assert live_route(actions, BLUE, GREEN, place="here").split.same_share(ALL_BLUE)


def test_unknown_members_of_a_forward_survive_and_count_in_the_shape() -> None:
    plain = forward_to({BLUE.target_group_arn: 1})
    strange = json.loads(json.dumps(plain))
    strange["ForwardConfig"]["SomethingNew"] = {"On": True}
    written = with_split([strange], BLUE, GREEN, Split(1, 1), place="here")
    assert written[0]["ForwardConfig"]["SomethingNew"] == {"On": True}
    shapes = {live_route([actions], BLUE, GREEN, place="here").shape for actions in (plain, strange, written[0])}
    assert len(shapes) == 2


def test_shape_is_alike_for_the_legacy_and_the_weighted_form() -> None:
    legacy = {"Type": "forward", "TargetGroupArn": BLUE.target_group_arn}
    weighted = forward_to({GREEN.target_group_arn: 7, BLUE.target_group_arn: 1}) | {"Order": 1}
    assert (
        live_route([legacy], BLUE, GREEN, place="here").shape == live_route([weighted], BLUE, GREEN, place="here").shape
    )


def test_reading_or_rewriting_leaves_its_input_as_it_is() -> None:
    actions = [forward_to({BLUE.target_group_arn: 1})]
    before = json.dumps(actions)
    with_split(actions, BLUE, GREEN, ALL_GREEN, place="here")
    assert json.dumps(actions) == before


def test_conditions_are_compared_as_sets_and_as_a_whole() -> None:
    rule = {
        "Priority": "7",
        "Conditions": [
            {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/b", "/a"]}, "Values": ["/b", "/a"]},
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-One", "Values": ["1"]}},
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Two", "Values": ["2"]}},
        ],
    }
    headers = [{"name": "x-two", "values": "2"}, {"name": "X-One", "values": ["1"]}]
    assert matches({"path": ["/a", "/b"], "header": headers}, rule)
    assert matches({"path": ["/a", "/b"], "header": headers, "priority": 7}, rule)
    assert not matches({"path": ["/a", "/b"], "header": headers, "priority": 8}, rule)
    assert not matches({"path": ["/a", "/b"], "header": headers[:1]}, rule)
    assert not matches({"path": "/a", "header": headers}, rule)
    assert describe(rule) == "header=x-one:1 header=x-two:2 path=/a|/b"


def test_path_pattern_with_a_regular_expression_is_not_mistaken_for_a_plain_one() -> None:
    rule = {"Priority": "1", "Conditions": [{"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["/a"]}}]}
    assert not matches({"path": "/a"}, rule)
    assert matches({"path": "regex:/a"}, rule)
