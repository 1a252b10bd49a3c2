"""What bluegreen init writes loads, and names what was found."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.discovery.base import RouteFacts
from bluegreen.discovery.draft import WIDTH, draft
from bluegreen.traffic.conditions import FIELDS, as_configured, live_conditions, matches, wanted_conditions
from tests.unit.discovery_kit import LIVE, PROD, alarm, find, group, route, service, spec_of, with_services, world

Rule = dict[str, Any]

NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,20}[A-Za-z0-9])?", fullmatch=True)
TEXTS = st.text("abZ09 *?/.:#{}[]$!|>%@&=,'\"`\\-_~é\u2028\ufeff😀", min_size=1, max_size=12)
AWKWARD = st.sampled_from(["on", "2", "1e3", "*.x", "${TAG}", "a: b", "# x", "'", '"', "- a", "null", "=x", " ", "😀"])
VALUES = st.lists(TEXTS | AWKWARD, min_size=1, max_size=3, unique=True)
CONFIGS = {
    "path-pattern": "PathPatternConfig",
    "host-header": "HostHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "source-ip": "SourceIpConfig",
}


@st.composite
def conditions(draw: st.DrawFn) -> list[Rule]:
    """As DescribeRules answers them, of any field, each at most once."""
    found: list[Rule] = []
    for field in draw(st.lists(st.sampled_from(sorted(FIELDS.values())), min_size=1, max_size=4, unique=True)):
        values = draw(VALUES)
        if field == "http-header":
            name = draw(st.from_regex(r"[A-Za-z0-9-]{1,20}", fullmatch=True))
            found.append({"Field": field, "HttpHeaderConfig": {"HttpHeaderName": name, "Values": values}})
        elif field == "query-string":
            pairs = [{"Key": draw(TEXTS | st.just("")), "Value": value} for value in values]
            found.append({"Field": field, "QueryStringConfig": {"Values": pairs}})
        else:
            found.append({"Field": field, CONFIGS[field]: {"Values": values}})
    return found


@given(conditions())
def test_a_live_rule_in_the_configurations_words_is_that_rule(live: list[Rule]) -> None:
    rule = {"Priority": "7", "Conditions": live}
    words = as_configured(rule)
    assert words is not None
    assert wanted_conditions(words) == live_conditions(rule)


@pytest.mark.parametrize(
    "live",
    [
        [{"Field": "moon-phase", "Values": ["full"]}],
        [{"Field": "path-pattern", "PathPatternConfig": {"Values": []}}],
        [{"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "a", "Value": "1"}]}}] * 2,
        [],
    ],
)
def test_conditions_that_a_configuration_cannot_name_have_no_words(live: list[Rule]) -> None:
    assert as_configured({"Conditions": live}) is None


def test_regular_expressions_of_a_live_rule_stay_what_they_are() -> None:
    rule = {"Conditions": [{"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["^/v[0-9]"]}}]}
    assert as_configured(rule) == {"path": "regex:^/v[0-9]"}
    assert matches({"path": "regex:^/v[0-9]"}, rule)


@given(live=conditions(), names=st.lists(NAMES, min_size=2, max_size=2, unique_by=str.lower), alarms=VALUES)
def test_whatever_is_found_is_written_so_that_it_loads_and_names_it(
    live: list[Rule], names: list[str], alarms: list[str]
) -> None:
    rule = {"Conditions": live}
    first, second = names
    source = with_services(
        service("web", first, desired=2),
        service("spare", second),
        all_groups=[group(first, health_path="/up?${x}"), group(second)],
        all_routes=[
            route(443, {first: 1, second: 0}, as_configured(rule)),
            route(443, {first: 1}, by_arn=True),
            route(8080, {first: 1}, as_configured(rule)),
        ],
        all_alarms=[alarm(name, first) for name in alarms],
    )
    found = find(source, "web")
    with tempfile.TemporaryDirectory() as folder:
        spec = spec_of(Path(folder), found)
    assert {(slot.target_group, slot.service) for slot in spec.slots} == {(first, "web"), (second, "spare")}
    assert [gate.settings["alarm"] for gate in spec.gates] == [name.replace("${", "$${") for name in sorted(alarms)]
    routes = [*spec.production, *([spec.test] if spec.test else [])]
    assert sorted((each.port or 0, bool(each.arn)) for each in routes) == [(0, True), (443, False), (8080, False)]
    assert all(matches(each.rule or {}, rule) for each in routes if not each.arn)


def test_file_says_what_was_found_and_what_was_guessed_in_aligned_comments(tmp_path: Path) -> None:
    rule = {"path": ["/api/orders", "/api/orders/*"]}
    alarms = [alarm("orders-5xx", "orders-1", "orders-2"), alarm("late", "orders-1", state="ALARM")]
    text = draft(find(world(route(443, LIVE, rule), route(8080, LIVE), all_alarms=alarms)))
    assert text == EXPECTED
    assert max(len(line) for line in text.splitlines()) <= WIDTH


EXPECTED = """\
# Written by bluegreen init, from what is live in cluster production.
# Where a comment says guess, look whether it is so; then: bluegreen verify. Every key: bluegreen schema.

service: orders                # the name in bluegreen: of its lock, its history, its reports
cluster: production            # the only one in the region
region: eu-central-1
# store: dynamodb://bluegreen  # for a team or a pipeline, after bluegreen store create; else a file

# The two places that can take the traffic. Which one is live is read from the weights, not from a name.
slots:  # they share a forward
  - {target_group: orders-1, service: orders-1}
  - {target_group: orders-2, service: orders-2}

# The routes that carry users' traffic; they are shifted together.
production:
  - {load_balancer: prod, port: 443, rule: {path: [/api/orders, /api/orders/*]}}  # a rule

# The route that carries test traffic to green, before any user's request does.
test: {load_balancer: prod, port: 8080}  # guess: not a users' port; if users come this way, list it under production

# How a deployment goes: a place to start from.
health: {percent: 100, settle: 10s}      # green is launched when all its targets stay healthy so long
shift: {canary: {percent: 5, wait: 5m}}  # 5% of the users first, everything when that went well
bake: {time: 30m}                        # blue stays warm so long: until then a rollback takes a second

# Alarms watched while traffic is on green: one that fires rolls back.
gates:
  - {alarm: orders-5xx}  # HTTPCode_Target_5XX_Count of both slots
  # HTTPCode_Target_5XX_Count of orders-1 alone: it is in ALARM now, and a deployment would be refused
  # - {alarm: late}

# Tests of green, through the test route. Yours go here: pytest, command, lambda, … (docs/hooks.md).
hooks:
  test:
    - {http: {path: /health}}  # the target group's health check
"""


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (route(8080, LIVE), {"path": "/health"}),
        (route(8443, LIVE, protocol="HTTPS"), {"path": "/health", "verify": False}),
        (route(8443, LIVE, {"host": "t.example.com"}, protocol="HTTPS"), {"path": "/health"}),
    ],
)
def test_smoke_test_asks_the_health_check_through_the_test_route(
    tmp_path: Path, where: RouteFacts, expected: dict[str, Any]
) -> None:
    spec = spec_of(tmp_path, find(world(route(80, LIVE), where)))
    assert [(hook.kind, hook.settings) for hook in spec.hooks] == [("http", expected)]


@pytest.mark.parametrize(
    ("codes", "status"),
    [("200", None), ("200-299", None), ("204", 204), ("200,301-302", [200, "301-302"]), ("0-99", None)],
)
def test_smoke_test_expects_what_the_health_check_expects(tmp_path: Path, codes: str, status: object) -> None:
    spec = spec_of(tmp_path, find(world(all_groups=[group("orders-1", health_codes=codes), group("orders-2")])))
    assert spec.hooks[0].settings.get("status") == status


def test_test_route_of_one_host_is_asked_by_its_name(tmp_path: Path) -> None:
    rule = {"host": ["*.example.com", "green.example.com"]}
    spec = spec_of(tmp_path, find(world(route(443, LIVE, protocol="HTTPS"), route(8443, LIVE, rule, protocol="HTTPS"))))
    assert spec.test_base_url == "https://green.example.com:8443"


@pytest.mark.parametrize(
    ("values", "sent"),
    [(["green"], "green"), (["a*", "green"], "green"), (["gr*n?"], "grnx"), (["*"], "1")],
)
def test_header_that_hooks_send_meets_the_test_routes_condition(tmp_path: Path, values: list[str], sent: str) -> None:
    rule = {"header": {"name": "X-Test", "values": values}}
    spec = spec_of(tmp_path, find(world(route(80, LIVE), route(80, LIVE, rule))))
    assert spec.test_header == f"X-Test: {sent}"
    assert spec.test is not None
    assert spec.test.rule == {"header": {"name": "X-Test", "values": values}}


def test_internal_load_balancer_of_the_test_route_is_said() -> None:
    inside = replace(PROD, internal=True)
    text = draft(find(world(route(80, LIVE, balancer=inside), route(8080, LIVE, balancer=inside))))
    assert "# Its load balancer is internal: hooks must run where they can reach it.\ntest: {" in text


def test_what_was_not_found_stands_as_a_comment_that_says_why(tmp_path: Path) -> None:
    found = find(world(route(80, LIVE)))
    spec, text = spec_of(tmp_path, found), draft(found)
    assert (spec.test, spec.hooks, spec.gates) == (None, (), ())
    assert "# test: {load_balancer: NAME, port: 8080}" in text
    assert "# hooks:  # there is no test route to ask through" in text
    assert "# gates:  # none watches these target groups" in text


@pytest.mark.parametrize(
    ("name", "expected"), [("_orders", "orders"), ("___", "service"), ("o" * 200, "o" * 128), ("Orders_x", "Orders_x")]
)
def test_services_name_is_one_that_bluegreen_takes(tmp_path: Path, name: str, expected: str) -> None:
    source = with_services(service(name, "orders-1", desired=1), service("spare", "orders-2"))
    assert spec_of(tmp_path, find(source, name)).service == expected
