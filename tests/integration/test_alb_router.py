"""The ALB router's calls: how many, which, and what happens when AWS answers badly or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.stub import Stubber

from bluegreen.aws.clients import Clients
from bluegreen.clock import FakeClock
from bluegreen.domain.deployment import Route
from bluegreen.domain.spec import RouteSpec
from bluegreen.domain.split import ALL_BLUE, ALL_GREEN, Split
from bluegreen.errors import RefusedError, ThrottledError, UnreachableError
from bluegreen.traffic.alb import HEALTH_CHECK, AlbRouter
from bluegreen.traffic.fake import forward_to
from tests.contract.traffic_worlds import REGION, MotoWorld, moto_world

ARN = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener-rule/app/prod/1/2/3"
ROUTE = Route("prod:80 /orders/*", ARN, "rule")


@pytest.fixture
def world() -> Iterator[MotoWorld]:
    with moto_world() as made:
        yield made


def no_fence() -> None:
    """This driver may write."""


def counts(world: MotoWorld, run: Callable[[], object]) -> dict[str, int]:
    world.clients.calls.counts.clear()
    run()
    return {name.split(":")[1]: count for name, count in world.clients.calls.counts.items()}


def test_shift_is_three_calls_and_read_is_one(world: MotoWorld) -> None:
    spec = world.rule(80, "/orders/*", [forward_to({world.blue.target_group_arn: 1})])
    route = world.router.resolve(spec, (world.blue, world.green))
    shift = counts(world, lambda: world.router.shift(route, world.blue, world.green, ALL_GREEN, no_fence))
    assert shift == {"DescribeRules": 2, "ModifyRule": 1}
    assert counts(world, lambda: world.router.read(route, world.blue, world.green)) == {"DescribeRules": 1}


def test_listener_shift_is_three_calls(world: MotoWorld) -> None:
    spec = world.listener(80, [forward_to({world.blue.target_group_arn: 1})])
    route = world.router.resolve(spec, (world.blue, world.green))
    shift = counts(world, lambda: world.router.shift(route, world.blue, world.green, ALL_GREEN, no_fence))
    assert shift == {"DescribeListeners": 2, "ModifyListener": 1}


def test_resolve_calls_do_not_grow_with_other_rules(world: MotoWorld) -> None:
    blue, green = world.blue.target_group_arn, world.green.target_group_arn
    spec = world.rule(80, "/orders/*", [forward_to({blue: 1, green: 0})])
    alone = counts(world, lambda: world.router.resolve(spec, (world.blue, world.green)))
    for number in range(12):
        world.rule(80, f"/other-{number}/*", [forward_to({world.stranger: 1})])
    assert counts(world, lambda: world.router.resolve(spec, (world.blue, world.green))) == alone
    assert alone == {"DescribeLoadBalancers": 1, "DescribeListeners": 1, "DescribeRules": 1}


def test_route_has_the_load_balancers_url(world: MotoWorld) -> None:
    spec = world.listener(8080, [forward_to({world.blue.target_group_arn: 1})])
    route = world.router.resolve(spec, (world.blue, world.green))
    assert route.url == f"http://{world.dns}:8080"
    assert route.load_balancer == "prod"


def test_rule_and_listener_are_found_by_arn(world: MotoWorld) -> None:
    spec = world.rule(80, "/orders/*", [forward_to({world.blue.target_group_arn: 1})])
    slots = (world.blue, world.green)
    by_name = world.router.resolve(spec, slots)
    assert world.router.resolve(RouteSpec(arn=by_name.arn), slots) == by_name
    listener = world.router.resolve(world.listener(81, [forward_to({world.blue.target_group_arn: 1})]), slots)
    assert world.router.resolve(RouteSpec(arn=listener.arn), slots) == listener


@pytest.mark.parametrize(
    ("conditions", "wanted"),
    [
        ([{"Field": "path-pattern", "Values": ["/a"]}], {"path": ["/a"]}),
        ([{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/a"]}}], {"path": "/a"}),
        ([{"Field": "host-header", "Values": ["Shop.test"]}], {"host": "shop.test"}),
        (
            [{"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Test", "Values": ["1"]}}],
            {"header": {"name": "x-test", "values": ["1"]}},
        ),
        ([{"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["POST"]}}], {"method": "POST"}),
        (
            [{"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "v", "Value": "2"}]}}],
            {"query": {"key": "v", "value": "2"}},
        ),
        ([{"Field": "query-string", "QueryStringConfig": {"Values": [{"Value": "2"}]}}], {"query": "2"}),
        ([{"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8"]}}], {"source_ip": ["10.0.0.0/8"]}),
        ([{"Field": "path-pattern", "Values": ["/x"]}], {"priority": 1}),
    ],
)
def test_rule_is_found_by_every_kind_of_condition(
    world: MotoWorld, conditions: list[Any], wanted: dict[str, object]
) -> None:
    world.listener(80, [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}])
    made = world.create_rule(80, conditions, [forward_to({world.blue.target_group_arn: 1})])
    world.create_rule(80, [{"Field": "path-pattern", "Values": ["/zz"]}], [forward_to({world.stranger: 1})])
    assert world.router.resolve(RouteSpec("prod", 80, rule=wanted), (world.blue, world.green)).arn == made


def test_part_of_the_conditions_does_not_find_a_rule(world: MotoWorld) -> None:
    world.listener(80, [forward_to({world.blue.target_group_arn: 1})])
    both = [{"Field": "path-pattern", "Values": ["/a"]}, {"Field": "host-header", "Values": ["shop.test"]}]
    world.create_rule(80, both, [forward_to({world.blue.target_group_arn: 1})])
    with pytest.raises(RefusedError, match=r"no rule .* match .*host=shop\.test path=/a"):
        world.router.resolve(RouteSpec("prod", 80, rule={"path": "/a"}), (world.blue, world.green))


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (RouteSpec("absent", 80), "no load balancer absent in eu-central-1; there are: prod"),
        (RouteSpec("prod", 9999), r"does not have a listener on port 9999; there are: 80 \(HTTP\)"),
        (RouteSpec("prod", 80, rule={"colour": "red"}), "unknown rule condition 'colour'"),
        (RouteSpec(arn=ARN), "does not exist"),
    ],
)
def test_refusal_says_what_is_there(world: MotoWorld, spec: RouteSpec, says: str) -> None:
    world.listener(80, [forward_to({world.blue.target_group_arn: 1})])
    with pytest.raises(RefusedError, match=says):
        world.router.resolve(spec, (world.blue, world.green))


def test_sticky_target_group_without_sticky_forward_is_refused_before_anything_changes(world: MotoWorld) -> None:
    world.elbv2.modify_target_group_attributes(
        TargetGroupArn=world.green.target_group_arn, Attributes=[{"Key": "stickiness.enabled", "Value": "true"}]
    )
    spec = world.listener(80, [forward_to({world.blue.target_group_arn: 1})])
    with pytest.raises(RefusedError, match="orders-2 is sticky"):
        world.router.resolve(spec, (world.blue, world.green))


class Aws:
    """A stubbed ELBv2 for one rule, to answer what moto cannot."""

    def __init__(self, world: MotoWorld) -> None:
        self.blue, self.green = world.blue, world.green
        self.clock = FakeClock()
        self.clients = Clients(REGION, clock=self.clock)
        self.stub = Stubber(self.clients.elbv2)
        self.router = AlbRouter(self.clients, self.clock)

    def describes(self, blue: int, green: int) -> Aws:
        self.stub.add_response("describe_rules", {"Rules": [self._rule(blue, green)]})
        return self

    def accepts(self, blue: int, green: int) -> Aws:
        self.stub.add_response("modify_rule", {"Rules": [self._rule(blue, green)]})
        return self

    def refuses(self, operation: str, code: str, message: str, status: int = 400) -> Aws:
        self.stub.add_client_error(operation, code, message, http_status_code=status)
        return self

    def shift(self, desired: Split) -> Split:
        with self.stub:
            live = self.router.shift(ROUTE, self.blue, self.green, desired, no_fence)
        self.stub.assert_no_pending_responses()
        return live.split

    def _rule(self, blue: int, green: int) -> Any:
        weights = {self.blue.target_group_arn: blue, self.green.target_group_arn: green}
        return {"RuleArn": ARN, "Priority": "1", "Conditions": [], "Actions": [forward_to(weights)]}


@pytest.fixture
def aws(world: MotoWorld) -> Aws:
    return Aws(world)


def test_stale_read_back_is_read_again_until_it_shows_the_write(aws: Aws) -> None:
    aws.describes(100, 0).accepts(0, 100).describes(100, 0).describes(100, 0).describes(0, 100)
    assert aws.shift(ALL_GREEN) == ALL_GREEN


def test_read_back_that_stays_another_is_answered_as_it_is_after_a_second(aws: Aws) -> None:
    aws.describes(100, 0).accepts(0, 100)
    for _ in range(12):
        aws.describes(100, 0)
    began = aws.clock.monotonic()
    with aws.stub:
        live = aws.router.shift(ROUTE, aws.blue, aws.green, ALL_GREEN, no_fence)
    assert live.split == ALL_BLUE
    assert 0.9 <= aws.clock.monotonic() - began <= 1.3


def test_throttled_read_is_repeated_and_throttled_write_is_not(aws: Aws) -> None:
    aws.refuses("describe_rules", "Throttling", "Rate exceeded").describes(100, 0)
    aws.refuses("modify_rule", "Throttling", "Rate exceeded")
    with pytest.raises(ThrottledError):
        aws.shift(ALL_GREEN)
    assert aws.clients.calls.counts["elasticloadbalancing:ModifyRule"] == 1
    assert aws.clients.calls.counts["elasticloadbalancing:DescribeRules"] == 2


def test_failed_write_that_took_effect_is_a_success(aws: Aws) -> None:
    aws.describes(100, 0).refuses("modify_rule", "InternalFailure", "oops", 500).describes(0, 100)
    assert aws.shift(ALL_GREEN) == ALL_GREEN


def test_failed_write_that_is_not_seen_says_that_it_may_have_taken_effect(aws: Aws) -> None:
    aws.describes(100, 0).refuses("modify_rule", "InternalFailure", "oops", 500)
    for _ in range(12):
        aws.describes(100, 0)
    with pytest.raises(UnreachableError, match="may have taken effect"):
        aws.shift(ALL_GREEN)


def test_weights_that_aws_refuses_leave_the_route_and_say_why(aws: Aws) -> None:
    why = "You must enable target group stickiness"
    aws.describes(100, 0).refuses("modify_rule", "InvalidConfigurationRequest", why)
    with pytest.raises(RefusedError, match=f"left as it is.*{why}"):
        aws.shift(ALL_GREEN)


def test_written_actions_name_an_existing_client_secret(aws: Aws) -> None:
    written: list[Any] = []
    aws.clients.elbv2.meta.events.register(
        "before-parameter-build.elastic-load-balancing-v2.ModifyRule",
        lambda params, **_: written.append(json.loads(json.dumps(params))),
    )
    oidc: dict[str, Any] = {
        "Type": "authenticate-oidc",
        "Order": 1,
        "AuthenticateOidcConfig": {
            "Issuer": "https://id.test",
            "AuthorizationEndpoint": "https://id.test/a",
            "TokenEndpoint": "https://id.test/t",
            "UserInfoEndpoint": "https://id.test/u",
            "ClientId": "client",
        },
    }
    forward = {"Type": "forward", "Order": 2, "TargetGroupArn": aws.blue.target_group_arn}
    rule: Any = {"RuleArn": ARN, "Actions": [oidc, forward]}
    aws.stub.add_response("describe_rules", {"Rules": [rule]})
    aws.accepts(0, 100).describes(0, 100)
    aws.shift(ALL_GREEN)
    first, second = written[0]["Actions"]
    assert first["AuthenticateOidcConfig"] == {**oidc["AuthenticateOidcConfig"], "UseExistingClientSecret": True}
    assert second == {
        "Type": "forward",
        "Order": 2,
        "ForwardConfig": {
            "TargetGroups": [
                {"TargetGroupArn": aws.blue.target_group_arn, "Weight": 0},
                {"TargetGroupArn": aws.green.target_group_arn, "Weight": 100},
            ]
        },
    }


def test_settings_are_three_calls_and_keep_the_health_check_and_the_attributes(world: MotoWorld) -> None:
    group = world.green.target_group_arn
    world.elbv2.modify_target_group(TargetGroupArn=group, HealthCheckPath="/v2", Matcher={"HttpCode": "200,204"})
    delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "30"}
    world.elbv2.modify_target_group_attributes(TargetGroupArn=group, Attributes=[delay])
    slots = (world.blue, world.green)
    made = counts(world, lambda: world.router.settings(slots))
    assert made == {"DescribeTargetGroups": 1, "DescribeTargetGroupAttributes": 2}
    blue, green = world.router.settings(slots)
    assert (green.health_check["HealthCheckPath"], green.health_check["Matcher.HttpCode"]) == ("/v2", "200,204")
    assert green.attributes["deregistration_delay.timeout_seconds"] == "30"
    assert blue.health_check["HealthCheckEnabled"] == "true"
    assert set(blue.health_check) <= {*HEALTH_CHECK, "Matcher.HttpCode"}


def test_every_setting_is_a_parameter_that_a_write_takes(world: MotoWorld) -> None:
    """What is said in the command that takes a change back must exist there."""
    shape = world.elbv2.meta.service_model.operation_model("ModifyTargetGroup").input_shape
    assert set(HEALTH_CHECK) <= set(shape.members)
