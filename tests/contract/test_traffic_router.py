"""What every traffic router promises, over the router in memory and over the ALB router against moto."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bluegreen.domain.deployment import Route
from bluegreen.domain.split import ALL_BLUE, ALL_GREEN, Split
from bluegreen.errors import NotFoundError, PreemptedError, RefusedError
from bluegreen.traffic.actions import Action
from bluegreen.traffic.fake import forward_to
from tests.contract.traffic_worlds import FakeWorld, World, moto_world

COGNITO: Action = {
    "Type": "authenticate-cognito",
    "Order": 1,
    "AuthenticateCognitoConfig": {
        "UserPoolArn": "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/pool",
        "UserPoolClientId": "client",
        "UserPoolDomain": "login",
    },
}
OIDC: Action = {
    "Type": "authenticate-oidc",
    "Order": 1,
    "AuthenticateOidcConfig": {
        "Issuer": "https://id.test",
        "AuthorizationEndpoint": "https://id.test/a",
        "TokenEndpoint": "https://id.test/t",
        "UserInfoEndpoint": "https://id.test/u",
        "ClientId": "client",
        "ClientSecret": "hidden-secret",
    },
}


@pytest.fixture(params=["fake", "moto"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "fake":
        yield FakeWorld()
        return
    with moto_world() as made:
        yield made


def no_fence() -> None:
    """This driver may write."""


def blue_listener(world: World) -> Route:
    spec = world.listener(80, [forward_to({world.blue.target_group_arn: 1})])
    return world.router.resolve(spec, (world.blue, world.green))


def blue_rule(world: World, *before: Action, sticky: int | None = None) -> Route:
    forward = forward_to({world.blue.target_group_arn: 1}, sticky=sticky) | {"Order": len(before) + 1}
    spec = world.rule(80, "/orders/*", [*before, forward])
    return world.router.resolve(spec, (world.blue, world.green))


def shift(world: World, route: Route, desired: Split) -> Split:
    return world.router.shift(route, world.blue, world.green, desired, no_fence).split


def test_resolved_listener_knows_its_kind_its_actions_and_its_shape(world: World) -> None:
    route = blue_listener(world)
    live = world.router.read(route, world.blue, world.green)
    assert (route.kind, route.before, route.shape) == ("listener", live.actions, live.shape)
    assert "prod:80" in route.name
    assert world.blue.target_group_arn in route.before


def test_rule_is_found_by_its_conditions_among_others(world: World) -> None:
    world.rule(80, "/billing/*", [forward_to({world.stranger: 1})])
    route = blue_rule(world)
    assert route.kind == "rule"
    assert world.router.read(route, world.blue, world.green).split.green_percent == 0


def test_route_that_is_not_there_is_refused(world: World) -> None:
    spec = world.rule(80, "/orders/*", [forward_to({world.blue.target_group_arn: 1})])
    missing = type(spec)(spec.load_balancer, spec.port, rule={"path": "/other/*"})
    with pytest.raises(RefusedError, match=r"/orders/\*|there are"):
        world.router.resolve(missing, (world.blue, world.green))


def test_route_that_forwards_to_neither_slot_is_refused(world: World) -> None:
    spec = world.listener(80, [forward_to({world.stranger: 1})])
    with pytest.raises(RefusedError, match=r"neither slot|neither orders-1 nor orders-2"):
        world.router.resolve(spec, (world.blue, world.green))


def test_redirect_is_refused_and_left_alone(world: World) -> None:
    redirect = {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}}
    spec = world.listener(80, [redirect])
    with pytest.raises(RefusedError, match="redirect"):
        world.router.resolve(spec, (world.blue, world.green))
    assert world.modifications() == 0


def test_legacy_forward_reads_as_all_traffic_on_its_target_group(world: World) -> None:
    spec = world.listener(80, [{"Type": "forward", "TargetGroupArn": world.blue.target_group_arn}])
    route = world.router.resolve(spec, (world.blue, world.green))
    live = world.router.read(route, world.blue, world.green)
    assert live.split.same_share(ALL_BLUE)
    assert live.attached == (world.blue.target_group_arn,)


def test_legacy_forward_becomes_a_weighted_one_without_the_old_key(world: World) -> None:
    spec = world.listener(80, [{"Type": "forward", "TargetGroupArn": world.blue.target_group_arn}])
    route = world.router.resolve(spec, (world.blue, world.green))
    assert shift(world, route, Split(95, 5)) == Split(95, 5)
    assert "TargetGroupArn" not in world.actions(route)[-1]


def test_shift_answers_the_weights_that_were_read_back(world: World) -> None:
    route = blue_listener(world)
    assert shift(world, route, Split(95, 5)) == Split(95, 5)
    assert shift(world, route, ALL_GREEN) == ALL_GREEN
    assert shift(world, route, ALL_BLUE) == ALL_BLUE


def test_shift_attaches_the_missing_slot_at_weight_zero(world: World) -> None:
    route = blue_rule(world)
    live = world.router.shift(route, world.blue, world.green, ALL_BLUE, no_fence)
    assert set(live.attached) == {world.blue.target_group_arn, world.green.target_group_arn}
    assert live.split.same_share(ALL_BLUE)


def test_shift_to_the_live_share_writes_nothing(world: World) -> None:
    route = blue_rule(world)
    shift(world, route, Split(90, 10))
    before = world.modifications()
    assert shift(world, route, Split(9, 1)) == Split(90, 10)
    assert world.modifications() == before


@pytest.mark.parametrize("action", [COGNITO, OIDC], ids=["cognito", "oidc"])
def test_shift_keeps_authentication_its_order_and_stickiness(world: World, action: Action) -> None:
    route = blue_rule(world, action, sticky=600)
    live = world.router.shift(route, world.blue, world.green, Split(50, 50), no_fence)
    first, forward = world.actions(route)
    assert (first["Type"], int(first["Order"]), int(forward["Order"])) == (action["Type"], 1, 2)
    assert live.sticky == 600
    assert live.shape == route.shape


def test_client_secret_is_never_written_nor_kept(world: World) -> None:
    route = blue_rule(world, OIDC)
    live = world.router.shift(route, world.blue, world.green, Split(50, 50), no_fence)
    assert "hidden-secret" not in route.before + live.actions
    assert world.actions(route)[0]["AuthenticateOidcConfig"].get("ClientSecret") is None


def test_unknown_target_group_is_read_but_never_written_over(world: World) -> None:
    route = blue_rule(world)
    world.edit(route, [forward_to({world.blue.target_group_arn: 9, world.stranger: 1})])
    assert world.router.read(route, world.blue, world.green).others == (world.stranger,)
    before = world.modifications()
    with pytest.raises(RefusedError, match="neither orders-1 nor orders-2"):
        shift(world, route, ALL_BLUE)
    assert world.modifications() == before


def test_weights_and_attaching_do_not_change_the_shape_but_an_edit_does(world: World) -> None:
    route = blue_rule(world)
    blue, green = world.blue.target_group_arn, world.green.target_group_arn
    world.edit(route, [forward_to({green: 3, blue: 7})])
    assert world.router.read(route, world.blue, world.green).shape == route.shape
    world.edit(route, [forward_to({blue: 7, green: 3}, sticky=60)])
    assert world.router.read(route, world.blue, world.green).shape != route.shape


def test_shape_is_the_same_whichever_slot_is_blue(world: World) -> None:
    route = blue_rule(world)
    shift(world, route, Split(70, 30))
    one, other = (world.blue, world.green), (world.green, world.blue)
    assert world.router.read(route, *one).shape == world.router.read(route, *other).shape
    assert world.router.read(route, *other).split == Split(30, 70)


def test_fence_that_raises_stops_the_write(world: World) -> None:
    route = blue_listener(world)

    def fence() -> None:
        raise PreemptedError("another driver")

    with pytest.raises(PreemptedError):
        world.router.shift(route, world.blue, world.green, ALL_GREEN, fence)
    assert world.modifications() == 0
    assert world.router.read(route, world.blue, world.green).split.same_share(ALL_BLUE)


def test_fence_is_not_asked_when_nothing_is_written(world: World) -> None:
    route = blue_listener(world)
    shift(world, route, ALL_BLUE)

    def fence() -> None:
        raise AssertionError("nothing is to be written")

    world.router.shift(route, world.blue, world.green, ALL_BLUE, fence)


def test_several_routes_are_shifted_one_without_the_other(world: World) -> None:
    first, second = blue_listener(world), blue_rule(world)
    shift(world, first, ALL_GREEN)
    assert world.router.read(second, world.blue, world.green).split.same_share(ALL_BLUE)


def test_someone_elses_weights_are_read_as_they_are(world: World) -> None:
    route = blue_rule(world)
    world.edit(route, [forward_to({world.blue.target_group_arn: 1, world.green.target_group_arn: 3})])
    assert world.router.read(route, world.blue, world.green).split == Split(1, 3)


def test_deleted_route_is_not_found(world: World) -> None:
    route = blue_rule(world)
    world.delete(route)
    with pytest.raises(NotFoundError):
        world.router.read(route, world.blue, world.green)


def test_settings_are_those_of_the_two_slots_in_their_order(world: World) -> None:
    first, second = world.router.settings((world.green, world.blue))
    assert (first.slot, second.slot) == (world.green.name, world.blue.name)
    assert first.target_group_arn == world.green.target_group_arn
