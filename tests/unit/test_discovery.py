"""What bluegreen init makes of a live world: which services are the slots, which routes are whose."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen.discovery.base import BalancerFacts, RouteFacts
from bluegreen.discovery.fake import FakeSource
from bluegreen.discovery.found import Found
from bluegreen.discovery.pair import are_siblings
from bluegreen.errors import AccessDeniedError, RefusedError, UsageError
from tests.unit.discovery_kit import (
    IDLE,
    LIVE,
    PROD,
    alarm,
    find,
    group,
    group_arn,
    route,
    service,
    with_services,
    world,
)


def slots(found: Found) -> list[tuple[str, str]]:
    return [(slot.target_group, slot.service) for slot in found.pair.slots]


def ports(found: Found) -> list[int]:
    return [each.route.port for each in found.routes.production]


@pytest.mark.parametrize("name", ["orders", "orders-1", "orders-2"])
def test_either_service_or_their_common_name_leads_to_the_same_pair(name: str) -> None:
    found = find(world(), name)
    assert found.pair.name == "orders"
    assert slots(found) == [("orders-1", "orders-1"), ("orders-2", "orders-2")]
    assert (found.cluster, found.region, found.pair.guess) == ("production", "eu-central-1", False)
    assert found.routes.live == group_arn("orders-1")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("orders-1", "orders-2", True),
        ("orders-blue", "orders-green", True),
        ("orders_a", "orders_b", True),
        ("orders", "orders-green", True),
        ("orders-2", "orders", True),
        ("orders-1", "orders-green", False),
        ("orders-1", "billing-2", False),
        ("orders-1", "orders-1", False),
        ("orders-1", "orders-3", False),
    ],
)
def test_siblings_are_told_by_their_names(one: str, other: str, expected: bool) -> None:
    assert are_siblings(one, other) is expected


def test_service_in_the_same_forward_is_the_other_slot_whatever_its_name() -> None:
    source = with_services(
        service("web", "web-tg", desired=2),
        service("spare", "spare-tg"),
        service("web-2", "elsewhere"),
        all_groups=[group("web-tg"), group("spare-tg")],
        all_routes=[route(443, {"web-tg": 1, "spare-tg": 0})],
    )
    found = find(source, "web")
    assert slots(found) == [("spare-tg", "spare"), ("web-tg", "web")]
    assert (found.pair.name, found.pair.why) == ("web", "they share a forward")


def test_sibling_without_a_common_forward_is_a_guess() -> None:
    found = find(world(route(80, {"orders-1": 1})))
    assert slots(found) == [("orders-1", "orders-1"), ("orders-2", "orders-2")]
    assert found.pair.guess


def test_idle_service_may_be_named_though_no_listener_knows_its_target_group() -> None:
    groups = [group("orders-1"), group("orders-2", balancers=())]
    found = find(world(route(80, {"orders-1": 1}), all_groups=groups), "orders-2")
    assert slots(found) == [("orders-1", "orders-1"), ("orders-2", "orders-2")]
    assert ports(found) == [80]


def test_without_a_service_those_with_a_target_group_are_listed() -> None:
    source = with_services(
        service("orders-1", "orders-1"), service("orders-2", "orders-2"), service("web", "w"), service("job")
    )
    with pytest.raises(UsageError) as caught:
        find(source, None)
    assert caught.value.message == "which service? cluster production has orders (orders-1, orders-2), web"
    assert caught.value.hint == "bluegreen init orders"


def test_unknown_service_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="no ECS service ordres in cluster production") as caught:
        find(world(), "ordres")
    assert caught.value.hint == "did you mean orders?"


def test_the_only_cluster_is_taken_and_several_are_listed() -> None:
    assert find(world()).cluster_why == "the only one in the region"
    several = world()
    several.all_services["staging"] = []
    with pytest.raises(UsageError, match="which cluster\\? eu-central-1 has production, staging"):
        find(several)
    assert find(several, cluster="production").cluster_why == "as --cluster says"


def test_region_without_a_cluster_is_refused() -> None:
    with pytest.raises(RefusedError, match="no ECS cluster in eu-central-1"):
        find(FakeSource())


def test_unknown_cluster_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="no ECS cluster prodution in eu-central-1; there are: production") as caught:
        find(world(), cluster="prodution")
    assert caught.value.hint == "did you mean --cluster production?"


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ([], "no second slot: a second target group, and a second ECS service at desired count 0"),
        ([], r"No ECS service of cluster production shares its forward or is its sibling by name \(orders-2, orders-g"),
        ([service("orders-2")], "Service orders-2 is there, but registers its tasks in no target group"),
        ([service("orders-2", "orders-1")], "Service orders-2 is there, but .* in the same target group, orders-1"),
        ([service("orders-2", "a", "b")], r"Service orders-2 is there, but .* in several target groups \(a, b\)"),
        ([service("orders-2", "orders-2", unfit="is a DAEMON service")], "Service orders-2 is a DAEMON service"),
        ([], "Target group orders-2 shares the forward, but no ECS service of the cluster registers tasks in it"),
    ],
)
def test_missing_second_slot_is_refused_with_what_is_missing(others: list[Any], said: str) -> None:
    routes = [route(80, LIVE if "Target group" in said else {"orders-1": 1})]
    source = with_services(service("orders-1", "orders-1", desired=2), *others, all_routes=routes)
    with pytest.raises(RefusedError, match=said) as caught:
        find(source)
    assert caught.value.exit_code == 6
    assert "docs/manual.md, The second slot" in (caught.value.hint or "")


def test_several_candidates_are_named_and_other_decides() -> None:
    source = with_services(
        service("orders", "orders-1", desired=2),
        service("orders-2", "orders-2"),
        service("orders-green", "g"),
        all_groups=[group("orders-1"), group("orders-2"), group("g")],
        all_routes=[route(80, {"orders-1": 1})],
    )
    with pytest.raises(UsageError, match="Several could be: orders-2, orders-green") as caught:
        find(source)
    assert caught.value.hint == "bluegreen init orders --other orders-2"
    assert slots(find(source, other="orders-green"))[1] == ("g", "orders-green")


@pytest.mark.parametrize(
    ("other", "error", "said"),
    [
        ("orders-3", UsageError, "no ECS service orders-3"),
        ("orders-1", RefusedError, "share target group orders-1"),
        ("job", RefusedError, "service job of cluster production registers its tasks in no target group"),
    ],
)
def test_other_that_can_be_no_slot_is_refused(other: str, error: type[Exception], said: str) -> None:
    source = with_services(service("orders-1", "orders-1"), service("orders-2", "orders-2"), service("job"))
    with pytest.raises(error, match=said):
        find(source, "orders-1", other=other)


@pytest.mark.parametrize(
    ("mine", "said"),
    [
        (service("web", "a", "b"), r"several target groups \(a, b\); a slot has exactly one"),
        (service("web"), "registers its tasks in no target group"),
        (service("web", "a", unfit="is controlled by CODE_DEPLOY"), "web of cluster production is controlled by CODE_"),
    ],
)
def test_service_that_can_be_no_slot_is_refused_with_the_reason(mine: Any, said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        find(with_services(mine), "web")


def test_service_behind_a_network_load_balancer_is_refused() -> None:
    balancer = BalancerFacts(PROD.arn, "edge", "network")
    with pytest.raises(RefusedError, match="orders-1 stands behind edge, a Network Load Balancer"):
        find(world(all_balancers=[balancer]))


def test_pair_that_no_listener_leads_to_is_refused() -> None:
    with pytest.raises(RefusedError, match="no listener or rule forwards to orders-1 or orders-2"):
        find(world(route(80, {"billing": 1})))


def header(*values: str) -> dict[str, object]:
    return {"header": {"name": "X-Test", "values": list(values)}}


@pytest.mark.parametrize(
    ("routes", "production", "test"),
    [
        ([route(80, LIVE)], [80], None),
        ([route(80, LIVE), route(443, LIVE)], [80, 443], None),
        ([route(80, LIVE), route(8080, LIVE)], [80], 8080),
        ([route(443, LIVE), route(8443, IDLE)], [443], 8443),
        ([route(8080, LIVE), route(9090, LIVE)], [8080], 9090),
        ([route(443, LIVE), route(443, LIVE, header("green"))], [443], 443),
        ([route(443, LIVE), route(443, LIVE, {"path": "/api/*"})], [443, 443], None),
        ([route(443, LIVE, header("v2"))], [443], None),
        ([route(443, LIVE), route(443, LIVE, header("regex:^v"))], [443, 443], None),
        ([route(443, LIVE), route(443, LIVE, header("2")), route(8443, LIVE, header("2"))], [443, 443], 8443),
    ],
)
def test_routes_are_sorted_by_port_header_and_where_they_lead(
    routes: list[RouteFacts], production: list[int], test: int | None
) -> None:
    found = find(world(*routes))
    assert ports(found) == production
    assert (found.routes.test.route.port if found.routes.test else None) == test
    assert found.routes.test is None or found.routes.test.guess
    assert len(found.routes.production) + (found.routes.test is not None) == len(routes)


def test_header_rule_is_the_test_route_and_the_plain_one_beside_it_production() -> None:
    found = find(world(route(443, LIVE), route(443, LIVE, header("green"))))
    assert found.routes.test is not None
    assert found.routes.test.route.header == ("X-Test", ("green",))
    assert found.routes.production[0].route.rule is None


def test_of_two_header_rules_the_one_that_is_called_a_test_is_taken() -> None:
    version = {"header": {"name": "X-Api-Version", "values": ["2"]}}
    found = find(world(route(443, LIVE), route(443, LIVE, version), route(443, LIVE, header("on"))))
    assert found.routes.test is not None
    assert found.routes.test.route.header == ("X-Test", ("on",))
    assert [each.route.rule for each in found.routes.production] == [None, version]


def test_route_that_could_be_a_second_test_route_moves_with_production() -> None:
    """It would otherwise lead to blue for ever, and break when blue is scaled in."""
    found = find(world(route(80, LIVE), route(8080, LIVE), route(9090, LIVE)))
    assert ports(found) == [80, 9090]
    assert [each.guess for each in found.routes.production] == [False, True]


def test_route_of_users_port_that_leads_to_the_idle_slot_is_the_test_route() -> None:
    beta = route(443, IDLE, {"host": "beta.example.com"})
    found = find(world(beta, route(443, LIVE)))
    assert found.routes.test is not None
    assert found.routes.test.route is beta
    assert found.routes.live == group_arn("orders-1")


def test_second_route_to_the_idle_slot_is_left_out_and_said() -> None:
    found = find(world(route(443, LIVE), route(8443, IDLE), route(9443, IDLE)))
    assert [each.route.port for each in found.routes.left_out] == [9443]
    assert any("prod:9443 was left out: it leads to orders-2, which is idle" in note for note in found.notes)


@pytest.mark.parametrize("weights", [{"orders-1": 95, "orders-2": 5}, {"orders-1": 0, "orders-2": 0}])
def test_weights_that_do_not_tell_which_slot_is_live_are_said(weights: dict[str, int]) -> None:
    found = find(world(route(80, weights)))
    assert found.routes.live is None
    assert any("which slot is live cannot be told" in note for note in found.notes)


def test_health_checks_that_differ_are_said() -> None:
    found = find(world(all_groups=[group("orders-1"), group("orders-2", health_path="/", health_codes="200-399")]))
    said = (
        "the target groups' health checks differ: orders-1 asks /health for 200, orders-2 asks / for 200-399; give both"
    )
    assert [note for note in found.notes if note.startswith(said)]


def test_foreign_target_group_in_a_forward_is_said() -> None:
    found = find(world(route(80, LIVE | {"billing": 0})))
    assert "prod:80 also forwards to billing, which is neither slot's: take it out of the forward" in found.notes


@pytest.mark.parametrize(
    ("facts", "routes", "left_out"),
    [
        ({}, [route(80, LIVE), route(8080, LIVE)], ""),
        ({}, [route(80, LIVE)], "there is no test route"),
        ({"version": "GRPC"}, [route(80, LIVE), route(8080, LIVE)], "gRPC"),
        ({"health_path": ""}, [route(80, LIVE), route(8080, LIVE)], "has no path"),
        ({"health_port": "9000"}, [route(80, LIVE), route(8080, LIVE)], "asks port 9000"),
        ({"health_port": "8080"}, [route(80, LIVE), route(8080, LIVE)], ""),
        ({}, [route(80, LIVE), route(8080, LIVE, {"path": "/api/*"})], "takes /api/* only"),
        ({"health_path": "/api/up?x"}, [route(80, LIVE), route(8080, LIVE, {"path": ["/a", "/api/??"]})], ""),
        ({"health_path": "/a"}, [route(80, LIVE), route(8080, LIVE, {"path": "/[a]"})], "takes /[a] only"),
        ({}, [route(80, LIVE), route(8080, LIVE, {"method": "POST"})], "takes POST only"),
        ({}, [route(80, LIVE), route(8080, LIVE, {"source_ip": "10.0.0.0/8"})], "certain source addresses"),
        ({}, [route(80, LIVE), route(8080, LIVE, {"host": "*.example.com"})], "a host that only a pattern names"),
        ({}, [route(80, LIVE), route(8080, LIVE, {"host": "t.example.com"})], ""),
        ({}, [route(80, LIVE), route(8080, LIVE, by_arn=True)], "conditions are not known"),
    ],
)
def test_health_check_is_the_smoke_test_where_it_would_be_answered(
    facts: dict[str, Any], routes: list[RouteFacts], left_out: str
) -> None:
    found = find(world(*routes, all_groups=[group("orders-1", **facts), group("orders-2")]))
    assert left_out in found.smoke.left_out
    assert bool(found.smoke.left_out) == bool(left_out)


def gates(*alarms: Any) -> dict[str, str]:
    return {gate.alarm: gate.left_out or gate.watches for gate in find(world(all_alarms=list(alarms))).gates}


def test_alarms_of_the_slots_and_of_the_load_balancer_are_gates() -> None:
    found = gates(alarm("one", "orders-1"), alarm("both", "orders-1", "orders-2"), alarm("front"), alarm("far", "web"))
    assert found == {
        "one": "HTTPCode_Target_5XX_Count of orders-1 alone",
        "both": "HTTPCode_Target_5XX_Count of both slots",
        "front": "HTTPCode_Target_5XX_Count of the whole load balancer prod",
    }


def test_composite_alarm_of_a_gates_alarm_is_a_gate() -> None:
    composite = alarm("all", "elsewhere", children=("one", "other"))
    assert gates(alarm("one", "orders-1"), composite)["all"] == "composite, of one"
    assert gates(alarm("one", "billing"), composite) == {}


def test_alarm_that_would_refuse_every_deployment_is_left_out() -> None:
    found = gates(
        alarm("firing", "orders-1", state="ALARM"), alarm("hosts", "orders-2", metric="HealthyHostCount"), alarm("fine")
    )
    assert next(iter(found)) == "fine"
    assert "in ALARM now" in found["firing"]
    assert "one slot has none between deployments" in found["hosts"]


def test_alarms_that_may_not_be_read_cost_the_gates_and_nothing_else() -> None:
    denied = AccessDeniedError("not allowed: cloudwatch:DescribeAlarms", hint="grant it")
    found = find(world(failing={"alarms": denied}))
    assert found.gates == ()
    assert "no alarm was looked for: not allowed: cloudwatch:DescribeAlarms" in found.notes


def test_clusters_that_may_not_be_listed_may_be_named() -> None:
    denied = AccessDeniedError("not allowed: ecs:ListClusters", hint="grant ecs:ListClusters to this identity")
    source = world(failing={"clusters": denied})
    with pytest.raises(AccessDeniedError) as caught:
        find(source)
    assert caught.value.hint == "name the cluster with --cluster, or grant ecs:ListClusters to this identity"
    assert find(source, cluster="production").pair.name == "orders"
