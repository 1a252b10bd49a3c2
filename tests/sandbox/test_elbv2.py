"""Elastic Load Balancing v2 keeps AWS's rules for actions, which the emulator by itself does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.conftest import RunningSandbox, wait_for

pytestmark = pytest.mark.sandbox


class Balancer:
    """A load balancer of the test's own: one listener, and target groups on request."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.elb = sandbox.client("elbv2")
        like = self.elb.describe_load_balancers(Names=["prod"])["LoadBalancers"][0]
        self.vpc = like["VpcId"]
        subnets = [zone["SubnetId"] for zone in like["AvailabilityZones"]]
        made = self.elb.create_load_balancer(Name="rules", Subnets=subnets)["LoadBalancers"][0]
        self.arn = made["LoadBalancerArn"]
        self.groups: list[str] = []
        action = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}
        self.listener = self.elb.create_listener(
            LoadBalancerArn=self.arn, Port=18090, Protocol="HTTP", DefaultActions=[action]
        )["Listeners"][0]["ListenerArn"]

    def group(self, name: str) -> str:
        made = self.elb.create_target_group(
            Name=name, VpcId=self.vpc, Protocol="HTTP", Port=8080, TargetType="ip", HealthCheckPath="/health"
        )
        self.groups.append(made["TargetGroups"][0]["TargetGroupArn"])
        return self.groups[-1]

    def forward(self, *weights: tuple[str, int], stickiness: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        config: dict[str, Any] = {"TargetGroups": [{"TargetGroupArn": arn, "Weight": w} for arn, w in weights]}
        if stickiness is not None:
            config["TargetGroupStickinessConfig"] = stickiness
        return [{"Type": "forward", "ForwardConfig": config}]

    def write(self, actions: list[dict[str, Any]]) -> dict[str, Any]:
        changed = self.elb.modify_listener(ListenerArn=self.listener, DefaultActions=actions)
        return dict(changed["Listeners"][0])

    def read(self) -> dict[str, Any]:
        return dict(self.elb.describe_listeners(ListenerArns=[self.listener])["Listeners"][0])

    def refused(self, actions: list[dict[str, Any]]) -> str:
        before = self.read()
        with pytest.raises(ClientError) as error:
            self.write(actions)
        assert self.read() == before
        return str(error.value.response["Error"]["Code"])


@pytest.fixture
def balancer(sandbox: RunningSandbox) -> Iterator[Balancer]:
    sandbox.ask("POST", "throttles", {"enabled": False})
    made = Balancer(sandbox)
    yield made
    made.elb.delete_load_balancer(LoadBalancerArn=made.arn)
    for arn in made.groups:
        made.elb.delete_target_group(TargetGroupArn=arn)


def test_a_weight_is_from_0_to_999(balancer: Balancer) -> None:
    one, two = balancer.group("a"), balancer.group("b")
    balancer.write(balancer.forward((one, 999), (two, 0)))
    groups = balancer.read()["DefaultActions"][0]["ForwardConfig"]["TargetGroups"]
    assert [group["Weight"] for group in groups] == [999, 0]
    assert balancer.refused(balancer.forward((one, 1000), (two, 0))) == "ValidationError"


def test_a_forward_takes_at_most_five_target_groups(balancer: Balancer) -> None:
    groups = [balancer.group(f"g{number}") for number in range(6)]
    balancer.write(balancer.forward(*((arn, 1) for arn in groups[:5])))
    assert balancer.refused(balancer.forward(*((arn, 1) for arn in groups))) == "TooManyTargetGroups"


def test_an_unknown_target_group_is_refused(balancer: Balancer) -> None:
    gone = balancer.group("gone")
    balancer.elb.delete_target_group(TargetGroupArn=balancer.groups.pop())
    assert balancer.refused(balancer.forward((gone, 1))) == "TargetGroupNotFound"
    assert balancer.refused([{"Type": "forward", "TargetGroupArn": gone}]) == "TargetGroupNotFound"


def test_a_sticky_target_group_needs_the_forward_s_stickiness(balancer: Balancer) -> None:
    one, two = balancer.group("a"), balancer.group("b")
    sticky = [{"Key": "stickiness.enabled", "Value": "true"}, {"Key": "stickiness.type", "Value": "lb_cookie"}]
    balancer.elb.modify_target_group_attributes(TargetGroupArn=one, Attributes=sticky)
    assert balancer.refused(balancer.forward((one, 1), (two, 1))) == "InvalidConfigurationRequest"
    on = {"Enabled": True, "DurationSeconds": 60}
    balancer.write(balancer.forward((one, 1), (two, 1), stickiness=on))
    assert balancer.read()["DefaultActions"][0]["ForwardConfig"]["TargetGroupStickinessConfig"] == on


def test_stickiness_lasts_1_to_604800_seconds(balancer: Balancer) -> None:
    one = balancer.group("a")
    for seconds in (0, 604801):
        stickiness = {"Enabled": True, "DurationSeconds": seconds}
        assert balancer.refused(balancer.forward((one, 1), stickiness=stickiness)) == "ValidationError"


def test_modify_replaces_the_actions_whole_and_leaves_the_rest(balancer: Balancer) -> None:
    one, two = balancer.group("a"), balancer.group("b")
    balancer.write(balancer.forward((one, 1), (two, 1), stickiness={"Enabled": True, "DurationSeconds": 60}))
    balancer.write(balancer.forward((two, 5)))
    (action,) = balancer.read()["DefaultActions"]
    assert action["ForwardConfig"]["TargetGroups"] == [{"TargetGroupArn": two, "Weight": 5}]
    assert action["ForwardConfig"]["TargetGroupStickinessConfig"] == {"Enabled": False}
    balancer.elb.modify_listener(ListenerArn=balancer.listener, Port=18091)
    assert balancer.read()["DefaultActions"] == [action]


def test_a_lone_target_group_is_told_in_both_forms(balancer: Balancer) -> None:
    one = balancer.group("a")
    for actions in ([{"Type": "forward", "TargetGroupArn": one}], balancer.forward((one, 1))):
        (action,) = balancer.write(actions)["DefaultActions"]
        assert action["TargetGroupArn"] == one
        assert action["ForwardConfig"]["TargetGroups"] == [{"TargetGroupArn": one, "Weight": 1}]


def test_exactly_one_closing_action_is_last(balancer: Balancer) -> None:
    one = balancer.group("a")
    forward, fixed = (
        balancer.forward((one, 1)),
        [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}],
    )
    assert balancer.refused([*forward, *fixed]) == "InvalidLoadBalancerAction"
    login = _login(Order=2)
    assert balancer.refused([login, {**forward[0], "Order": 1}]) == "InvalidLoadBalancerAction"


def test_an_oidc_secret_is_never_returned_and_can_be_written_back_unseen(balancer: Balancer) -> None:
    one = balancer.group("a")
    forward = {**balancer.forward((one, 1))[0], "Order": 2}
    assert balancer.refused([_login(Order=1, UseExistingClientSecret=True), forward]) == "ValidationError"
    changed = balancer.write([_login(Order=1, ClientSecret="hunter2"), forward])
    login, kept = balancer.read()["DefaultActions"]
    assert "hunter2" not in str(changed) + str(login)
    assert "ClientSecret" not in login["AuthenticateOidcConfig"]
    assert (login["Order"], kept["Order"]) == (1, 2)
    login["AuthenticateOidcConfig"]["UseExistingClientSecret"] = True
    balancer.write([login, kept])
    assert [action["Type"] for action in balancer.read()["DefaultActions"]] == ["authenticate-oidc", "forward"]
    login["AuthenticateOidcConfig"].pop("UseExistingClientSecret")
    assert balancer.refused([login, kept]) == "ValidationError"


def test_a_rule_keeps_its_conditions_when_its_actions_are_modified(balancer: Balancer) -> None:
    one, two = balancer.group("a"), balancer.group("b")
    condition = {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "x-test", "Values": ["1"]}}
    rule = balancer.elb.create_rule(
        ListenerArn=balancer.listener, Priority=5, Conditions=[condition], Actions=balancer.forward((one, 1))
    )["Rules"][0]
    changed = balancer.elb.modify_rule(RuleArn=rule["RuleArn"], Actions=balancer.forward((one, 1), (two, 9)))["Rules"][
        0
    ]
    assert changed["Conditions"] == rule["Conditions"]
    with pytest.raises(ClientError, match="ValidationError"):
        balancer.elb.modify_rule(RuleArn=rule["RuleArn"], Actions=balancer.forward((one, -1)))


def test_a_target_group_checks_as_aws_does_by_default(balancer: Balancer) -> None:
    made = balancer.elb.create_target_group(Name="plain", VpcId=balancer.vpc, Protocol="HTTP", Port=80, TargetType="ip")
    balancer.groups.append(made["TargetGroups"][0]["TargetGroupArn"])
    shown = balancer.elb.describe_target_groups(Names=["plain"])["TargetGroups"][0]
    names = ("Protocol", "Port", "Path", "Enabled", "IntervalSeconds", "TimeoutSeconds")
    told = {name: shown[f"HealthCheck{name}"] for name in names}
    assert told == {
        "Protocol": "HTTP", "Port": "traffic-port", "Path": "/",
        "Enabled": True, "IntervalSeconds": 30, "TimeoutSeconds": 5,
    }  # fmt: skip
    assert (shown["HealthyThresholdCount"], shown["UnhealthyThresholdCount"]) == (5, 2)
    assert shown["Matcher"] == {"HttpCode": "200"}


def test_rules_come_in_order_of_priority_with_the_default_last(balancer: Balancer) -> None:
    one = balancer.group("a")
    made = {}
    for priority in (30, 10, 20):
        condition = {"Field": "path-pattern", "Values": [f"/{priority}"]}
        rule = balancer.elb.create_rule(
            ListenerArn=balancer.listener, Priority=priority, Conditions=[condition], Actions=balancer.forward((one, 1))
        )
        made[priority] = rule["Rules"][0]["RuleArn"]
    moves = [{"RuleArn": made[10], "Priority": 30}, {"RuleArn": made[30], "Priority": 10}]
    balancer.elb.set_rule_priorities(RulePriorities=moves)
    rules = balancer.elb.describe_rules(ListenerArn=balancer.listener)["Rules"]
    assert [rule["Priority"] for rule in rules] == ["10", "20", "30", "default"]
    assert rules[0]["RuleArn"] == made[30]
    with pytest.raises(ClientError, match="OperationNotPermitted"):
        balancer.elb.modify_rule(RuleArn=rules[-1]["RuleArn"], Actions=balancer.forward((one, 1)))


def test_a_load_balancer_takes_a_hundred_rules(balancer: Balancer) -> None:
    action = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]

    def add(priority: int) -> None:
        condition = {"Field": "path-pattern", "Values": [f"/{priority}"]}
        balancer.elb.create_rule(
            ListenerArn=balancer.listener, Priority=priority, Conditions=[condition], Actions=action
        )

    for priority in range(1, 101):
        add(priority)
    with pytest.raises(ClientError, match="TooManyRules"):
        add(101)


def test_a_target_group_belongs_to_one_load_balancer(sandbox: RunningSandbox, balancer: Balancer) -> None:
    assert balancer.refused(balancer.forward((sandbox.target_group("orders-1"), 1))) == "TargetGroupAssociationLimit"
    one = balancer.group("a")
    balancer.write(balancer.forward((one, 1)))
    used = balancer.elb.describe_target_groups(TargetGroupArns=[one])["TargetGroups"][0]["LoadBalancerArns"]
    assert used == [balancer.arn]
    balancer.write([{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}])
    unused = balancer.elb.describe_target_groups(TargetGroupArns=[one])["TargetGroups"][0]
    assert unused.get("LoadBalancerArns", []) == []


def test_a_port_has_one_listener(balancer: Balancer) -> None:
    action = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]
    with pytest.raises(ClientError, match="DuplicateListener"):
        balancer.elb.create_listener(LoadBalancerArn=balancer.arn, Port=18090, Protocol="HTTP", DefaultActions=action)


def test_health_is_what_the_load_balancer_saw(sandbox: RunningSandbox, balancer: Balancer) -> None:
    one = balancer.group("a")
    address = next(task["address"] for task in sandbox.status()["tasks"] if task["state"] == "RUNNING")
    targets = [{"Id": address, "Port": 8080}]
    balancer.elb.add_tags(ResourceArns=[one], Tags=[{"Key": "bluegreen:sandbox-interval", "Value": "0.2"}])
    balancer.elb.register_targets(TargetGroupArn=one, Targets=targets)

    def states(**more: Any) -> list[tuple[str, str]]:
        health = balancer.elb.describe_target_health(TargetGroupArn=one, **more)["TargetHealthDescriptions"]
        return [(item["TargetHealth"]["State"], item["TargetHealth"].get("Reason", "")) for item in health]

    assert states() == [("unused", "Target.NotInUse")]
    balancer.write(balancer.forward((one, 0)))
    wait_for(lambda: states() == [("healthy", "")], seconds=10)
    assert states(Targets=[{"Id": "127.1.2.3", "Port": 80}]) == [("unused", "Target.NotRegistered")]
    balancer.elb.deregister_targets(TargetGroupArn=one, Targets=targets)


def test_a_deregistration_delay_of_an_hour_is_taken(balancer: Balancer) -> None:
    one = balancer.group("a")
    delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "3600"}
    balancer.elb.modify_target_group_attributes(TargetGroupArn=one, Attributes=[delay])
    assert delay in balancer.elb.describe_target_group_attributes(TargetGroupArn=one)["Attributes"]
    with pytest.raises(ClientError, match="ValidationError"):
        balancer.elb.modify_target_group_attributes(TargetGroupArn=one, Attributes=[{**delay, "Value": "3601"}])


def _login(Order: int, **more: Any) -> dict[str, Any]:
    config = {
        "Issuer": "https://login.example",
        "AuthorizationEndpoint": "https://login.example/authorize",
        "TokenEndpoint": "https://login.example/token",
        "UserInfoEndpoint": "https://login.example/me",
        "ClientId": "orders",
        **more,
    }
    return {"Type": "authenticate-oidc", "Order": Order, "AuthenticateOidcConfig": config}
