from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bluegreen.config.values import duration_text, seconds_of
from bluegreen.domain.release import ReleaseRequest
from bluegreen.domain.spec import (
    AlreadyFiring,
    Consequence,
    Deadlines,
    GateSpec,
    HealthSpec,
    HookPoint,
    HookSpec,
    RouteSpec,
    ShiftStep,
    SlotSpec,
    Spec,
)
from tests.unit.config_support import ENVIRONMENT, problem, problems, problems_of_text, read, read_text

DESIGN = """
service: orders
cluster: production
slots:
  - {target_group: orders-1, service: orders-1}
  - {target_group: orders-2, service: orders-2}
production:
  - {load_balancer: prod, port: 443, rule: {path: /api/orders/*}}
test: {load_balancer: prod, port: 8080}
release:
  images: {app: "registry/orders:${TAG}"}
shift: {canary: {percent: 5, wait: 5m}}
bake: {time: 30m}
gates:
  - {alarm: orders-5xx}
hooks:
  test:
    - {http: {path: /health, status: 200}}
    - {pytest: {path: tests/smoke}}
"""


def test_the_designs_configuration_means_what_it_says(tmp_path: Path) -> None:
    loaded = read_text(tmp_path, DESIGN)
    assert loaded.spec == Spec(
        service="orders",
        cluster="production",
        slots=(SlotSpec("orders-1", "orders-1"), SlotSpec("orders-2", "orders-2")),
        production=(RouteSpec("prod", 443, rule={"path": ["/api/orders/*"]}),),
        test=RouteSpec("prod", 8080),
        shift=(ShiftStep(5.0, 300.0), ShiftStep(100.0, 0.0)),
        bake=1800.0,
        gates=(GateSpec("alarm", "alarm", {"alarm": "orders-5xx"}),),
        hooks=(
            HookSpec(HookPoint.TEST, "http", "http", {"path": "/health", "status": 200}),
            HookSpec(HookPoint.TEST, "pytest", "pytest", {"path": "tests/smoke"}),
        ),
    )
    assert loaded.request == ReleaseRequest(images={"app": "registry/orders:1.4.2"})
    assert (loaded.folder, loaded.path, loaded.store) == (tmp_path, tmp_path / "bluegreen.yaml", None)


def test_what_is_left_out_has_the_domains_defaults(tmp_path: Path) -> None:
    spec = read(tmp_path).spec
    plain = Spec(spec.service, spec.cluster, spec.slots, spec.production)
    assert spec == plain


def test_every_section_reaches_the_spec(tmp_path: Path) -> None:
    loaded = read(
        tmp_path,
        region="eu-central-1",
        store="sqlite:///state.db",
        test={"load_balancer": "prod", "port": 8080, "base_url": "http://127.0.0.1:9/", "header": _header("green")},
        health={"percent": 50, "settle": "3s"},
        settle="4s",
        gate_interval="500ms",
        deadlines={"launch": "1m", "hold": "never", "on_hold": "hold", "blind": "1m"},
    )
    spec = loaded.spec
    assert loaded.store == "sqlite:///state.db"
    assert (spec.region, spec.settle, spec.gate_interval) == ("eu-central-1", 4.0, 0.5)
    assert (spec.test_base_url, spec.test_header) == ("http://127.0.0.1:9", "X-Test: green")
    assert spec.health == HealthSpec(50.0, 3.0)
    assert spec.deadlines == Deadlines(launch=60.0, hold=None, on_hold=Consequence.HOLD, blind=60.0)


def _header(value: str) -> dict[str, str]:
    return {"name": "X-Test", "value": value}


@pytest.mark.parametrize(
    ("written", "steps"),
    [
        ("all-at-once", [(100, 0)]),
        ({"canary": {"percent": 0.5, "wait": "1m"}}, [(0.5, 60), (100, 0)]),
        ({"linear": {"percent": 40, "every": "1m"}}, [(40, 60), (80, 60), (100, 0)]),
        ({"steps": [{"percent": 1, "wait": "2m"}, {"percent": 100}]}, [(1, 120), (100, 0)]),
    ],
)
def test_each_way_to_shift_becomes_steps(tmp_path: Path, written: object, steps: list[tuple[float, float]]) -> None:
    assert read(tmp_path, shift=written).spec.shift == tuple(ShiftStep(*step) for step in steps)


def test_rule_conditions_are_lists_in_the_spec_however_they_are_written(tmp_path: Path) -> None:
    rule = {"path": "/a", "host": ["b", "c"], "header": {"name": "X", "values": "v"}, "priority": 7, "query": "k=v"}
    route = read(tmp_path, production=[{"load_balancer": "prod", "port": 80, "rule": rule}]).spec.production[0]
    assert route.rule == {
        "path": ["/a"],
        "host": ["b", "c"],
        "header": {"name": "X", "values": ["v"]},
        "query": ["k=v"],
        "priority": 7,
    }


def test_a_test_rules_plain_header_is_what_hooks_send(tmp_path: Path) -> None:
    rule = {"header": {"name": "X-Test", "values": ["green"]}}
    spec = read(tmp_path, test={"load_balancer": "prod", "port": 443, "rule": rule}).spec
    assert spec.test_header == "X-Test: green"


def test_a_test_rules_header_pattern_needs_the_header_to_send(tmp_path: Path) -> None:
    rule = {"header": {"name": "X-Test", "values": ["gr*"]}}
    found = problem(tmp_path, test={"load_balancer": "prod", "port": 443, "rule": rule})
    assert found.startswith("test: needs header: {name: ..., value: ...}")


def test_hooks_and_gates_keep_their_variables_unexpanded(tmp_path: Path) -> None:
    headers = {"Authorization": "Bearer ${TOKEN}"}
    loaded = read(
        tmp_path,
        hooks={"test": [{"http": {"path": "/$${x}", "headers": headers}}]},
        gates=[{"alarm": "${TAG}-5xx", "already_firing": "ignore"}],
    )
    assert loaded.spec.hooks[0].settings == {"path": "/$${x}", "headers": headers}
    assert loaded.spec.gates[0] == GateSpec("alarm", "alarm", {"alarm": "${TAG}-5xx"}, AlreadyFiring.IGNORE)
    assert "hush" not in repr(loaded)


def test_a_variable_that_a_hook_needs_must_be_there(tmp_path: Path) -> None:
    found = problem(tmp_path, hooks={"test": [{"http": {"path": "/", "headers": {"A": "${NO_TOKEN}"}}}]})
    assert found == (
        "hooks.test[0].http.headers.A: needs the environment variable NO_TOKEN, which is not set; export NO_TOKEN=..."
    )


def test_variables_are_filled_in_everywhere_else_and_a_doubled_dollar_is_literal(tmp_path: Path) -> None:
    loaded = read(
        tmp_path,
        production=[{"load_balancer": "prod", "port": "${PORT}"}],
        shift={"canary": {"percent": "${PERCENT}", "wait": "${WAIT}"}},
        release={"image": "r/o:${TAG}-${PERCENT}", "reason": "costs $${5}"},
    )
    assert loaded.spec.production[0].port == 443
    assert loaded.spec.shift[0] == ShiftStep(5.0, 300.0)
    assert loaded.request == ReleaseRequest(images={"": "r/o:1.4.2-5"}, reason="costs ${5}")


@pytest.mark.parametrize("written", ["${", "${}", "${A-B}", "${9}"])
def test_a_reference_that_is_none_is_a_problem(tmp_path: Path, written: str) -> None:
    assert "release.reason" in problem(tmp_path, release={"image": "a", "reason": written})


def test_a_missing_variable_is_the_only_problem_of_its_value(tmp_path: Path) -> None:
    found = problem(tmp_path, shift={"canary": {"percent": "${NONE}", "wait": "5m"}})
    assert found.startswith("shift.canary.percent: needs the environment variable NONE")


def test_commands_that_deploy_nothing_need_no_release_variables(tmp_path: Path) -> None:
    loaded = read_text(tmp_path, DESIGN, environment={}, with_release=False)
    assert loaded.request is None
    assert loaded.spec.service == "orders"


SECRET = "s3cr3t-in-the-environment"


@pytest.mark.parametrize(
    "changes",
    [
        {"service": "${S}!"},
        {"bake": {"time": "${S}"}},
        {"shift": "${S}"},
        {"shift": {"canary": {"percent": "${S}", "wait": "1m"}}},
        {"production": [{"load_balancer": "prod", "port": "${S}"}]},
        {"production": [{"arn": "${S}"}]},
        {"test": {"load_balancer": "prod", "port": 1, "base_url": "${S}"}},
        {"deadlines": {"on_hold": "${S}"}},
        {"release": {"task_definition": "${S}"}},
        {"gates": [{"alarm": "arn:${S}"}]},
        {"hooks": {"test": [{"http": {"path": "${S}"}}]}},
        {"hooks": {"test": [{"http": {"path": "/", "matches": "(${S}"}}]}},
        {"hooks": {"test": [{"http": {"path": "/", "headers": {"A": "${S}\n"}}}]}},
        {"hooks": {"test": [{"http": {"path": "/", "json": "${S}"}}]}},
        {"hooks": {"test": [{"python": "${S}"}]}},
    ],
)
def test_no_message_shows_what_a_variable_holds(tmp_path: Path, changes: dict[str, Any]) -> None:
    found = problems(tmp_path, {"S": SECRET}, **changes)
    assert SECRET not in "\n".join(found)
    assert len(found) == 1


def test_every_problem_is_told_at_once_in_the_files_order(tmp_path: Path) -> None:
    text = DESIGN.replace("cluster:", "clutser:").replace("port: 443", "port: https").replace("30m", "30")
    text = text.replace("${TAG}", "${NO_TAG}").replace("{alarm:", "{alrm:").replace("status: 200", "status: ok")
    found = problems_of_text(tmp_path, text)
    places = [tuple(int(part) for part in line.split(":")[1:3]) for line in found]
    assert places == sorted(places)
    keys = [line.split(": ")[1] for line in found]
    assert keys == [
        "cluster",
        "clutser",
        "production[0].port",
        "release.images.app",
        "bake.time",
        "gates[0].alrm",
        "hooks.test[0].http.status",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clutser": "x"}, "clutser: is not a key here; did you mean cluster?"),
        ({"bake": {"tmie": "1m"}}, "bake.tmie: is not a key here; did you mean time?"),
        ({"bake": "30m"}, "bake: must be a mapping of keys and values, not '30m'"),
        ({"bake": {"time": 30}}, "bake.time: has no unit: write 30s for seconds or 30m for minutes"),
        ({"bake": {"time": "30"}}, "must be a duration with a unit, as in 30s, 5m, 1h30m, 500ms or 2d, not '30'"),
        ({"bake": {"time": None}}, "bake.time: has no value; give it one or remove the key"),
        ({"bake": {"time": "9999d"}}, "bake.time: must be at most 366d, not '9999d'"),
        ({"service": 7}, "service: must be text: put it in quotes, YAML reads it as a number"),
        ({"service": True}, "service: must be text: put it in quotes, YAML reads it as true or false"),
        ({"service": "a/b"}, "service: must be a name of letters, digits, ., - and _, not 'a/b'"),
        ({"cluster": ...}, "cluster: is missing: The ECS cluster's name or ARN."),
        ({"store": "state.db"}, "store: must be a URL, as in sqlite:///PATH or dynamodb://TABLE, not 'state.db'"),
        ({"region": "Frankfurt"}, "region: must be a region, as in eu-central-1, not 'Frankfurt'"),
        ({"slots": []}, "slots: has 0; a blue/green service has exactly two"),
        ({"production": []}, "production: needs at least one route"),
        ({"production": [{"port": 80}]}, "production[0]: needs load_balancer and port, or arn"),
        ({"production": [{"load_balancer": "p", "port": 0}]}, "must be a whole number from 1 to 65535, not 0"),
        ({"production": [{"load_balancer": "p", "port": True}]}, "from 1 to 65535, not true"),
        ({"production": [{"load_balancer": "p", "port": 1, "rule": {}}]}, "rule: needs at least one condition"),
        ({"production": [{"load_balancer": "p", "port": 1, "rule": {"path": []}}]}, "needs at least one value"),
        ({"shift": "canary"}, "shift: must be all-at-once or a mapping, as in {canary: {percent: 5, wait: 5m}}"),
        ({"shift": {}}, "shift: needs exactly one of canary, until_verdict, linear, steps"),
        ({"shift": {"canary": {"percent": "5%", "wait": "1m"}}}, "without a % sign, as in 5 or 0.5, not '5%'"),
        ({"shift": {"canary": {"percent": 0.25, "wait": "1m"}}}, "from 0 to 100 in steps of 0.1, not 0.25"),
        ({"shift": {"canary": {"percent": 100, "wait": "1m"}}}, "for everything in one step use all-at-once"),
        ({"shift": {"steps": [{"percent": 5}]}}, "shift: the last step must be 100 per cent"),
        ({"health": {"percent": 0}}, "health.percent: must be more than 0 per cent, not 0"),
        ({"gate_interval": "0s"}, "gate_interval: must be at least 100ms, not '0s'"),
        ({"deadlines": {"on_hold": "wait"}}, "deadlines.on_hold: must be 'rollback' or 'hold', not 'wait'"),
        ({"deadlines": {"launch": "never"}}, "deadlines.launch: must be a duration with a unit"),
        ({"hooks": {"tset": []}}, "hooks.tset: is not a key here; did you mean test?"),
        ({"hooks": {"test": {}}}, "hooks.test: must be a list: a - in front of each item"),
        ({"hooks": {"test": [{"name": "a"}]}}, "hooks.test[0]: names no kind of hook; one key must be "),
        ({"hooks": {"test": [{"htpt": "/"}]}}, "hooks.test[0].htpt: is no kind or key of a hook; did you mean http?"),
        ({"hooks": {"test": [{"alarm": "a"}]}}, "hooks.test[0].alarm: is no kind or key of a hook"),
        (
            {"hooks": {"test": [{"http": "/", "retires": 1}]}},
            "retires: is no kind or key of a hook; did you mean retri",
        ),
        ({"hooks": {"test": [{"http": "/", "python": "a:b"}]}}, "has two kinds, http and python; make it two hooks"),
        ({"hooks": {"test": [{"http": None}]}}, "hooks.test[0].http: http takes its settings as keys and values"),
        ({"hooks": {"test": [{"http": {"path": "x"}}]}}, "hooks.test[0].http.path: a path starts with /"),
        ({"hooks": {"test": [{"http": {"paht": "/", "url": "http://a"}}]}}, "is not a key here; did you mean path?"),
        ({"hooks": {"test": [{"http": "/", "retries": -1}]}}, "retries: must be a whole number from 0 to 100, not -1"),
        ({"gates": [{"alarm": ""}]}, "gates[0].alarm: must not be empty"),
        ({"gates": [{"http": "/"}]}, "gates[0].http: is no kind or key of a gate"),
        ({"release": {"image": "a", "images": {"b": "c"}}}, "release: has image and images"),
        ({"release": {"images": {"a b": "c"}}}, 'release.images."a b": must be a container\'s name'),
        ({"release": {"image": "a b"}}, "release.image: must be an image's URI without spaces"),
        (
            {"test": {"load_balancer": "p", "port": 1, "base_url": "http://u:p@h"}},
            "test.base_url: must be a URL as in http://host:8080, with no user, password or query",
        ),
        ({"test": {"load_balancer": "prod", "port": 443}}, "test: is also a production route"),
    ],
)
def test_a_problem_says_where_what_and_what_instead(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    assert message in problem(tmp_path, **changes)


def test_one_or_three_slots_are_told_that_there_are_two(tmp_path: Path) -> None:
    slots = [{"target_group": f"o-{n}", "service": f"o-{n}"} for n in range(3)]
    assert "slots: has 1; a blue/green service has exactly two" in problem(tmp_path, slots=slots[:1])
    assert "slots: has 3; a blue/green service has exactly two" in problem(tmp_path, slots=slots)


@pytest.mark.parametrize(("key", "word"), [("target_group", "target group"), ("service", "ECS service")])
def test_slots_that_share_something_are_refused(tmp_path: Path, key: str, word: str) -> None:
    slots = [{"target_group": "o-1", "service": "o-1"}, {"target_group": "o-2", "service": "o-2"} | {key: "o-1"}]
    assert f"slots: name the same {word} twice" in problem(tmp_path, slots=slots)


def test_the_same_route_twice_is_refused(tmp_path: Path) -> None:
    route = {"load_balancer": "prod", "port": 443}
    assert "production: names the same route twice" in problem(tmp_path, production=[route, route])


def test_the_order_of_a_rules_values_makes_no_other_route(tmp_path: Path) -> None:
    def route(*values: str) -> dict[str, object]:
        return {
            "load_balancer": "prod",
            "port": 80,
            "rule": {"path": values, "header": {"name": "X", "values": values}},
        }

    one, same, other = route("/a", "/b"), route("/b", "/a"), route("/a")
    assert "production: names the same route twice" in problem(tmp_path, production=[one, same])
    header = {"name": "X", "value": "/a"}
    assert "test: is also a production route" in problem(tmp_path, production=[one], test={**same, "header": header})
    assert len(read(tmp_path, production=[one, other]).spec.production) == 2


def test_an_arn_stands_alone(tmp_path: Path) -> None:
    arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/prod/50dc6c495c0c9188/f2f7dc8efc522ab2"
    assert read(tmp_path, production=[{"arn": arn}]).spec.production == (RouteSpec(arn=arn),)
    assert "has arn together with" in problem(tmp_path, production=[{"arn": arn, "port": 80}])
    assert "must be the ARN of a listener" in problem(tmp_path, production=[{"arn": arn.replace("listener", "x")}])


def test_names_default_to_the_kind_and_count_on(tmp_path: Path) -> None:
    hooks = [{"http": "/a"}, {"http": "/b", "name": "http-2"}, {"http": "/c"}, {"pytest": "t"}]
    spec = read(tmp_path, hooks={"test": hooks, "bake": [{"http": "/d"}]}).spec
    assert [(hook.point.value, hook.name) for hook in spec.hooks] == [
        ("test", "http"),
        ("test", "http-2"),
        ("test", "http-3"),
        ("test", "pytest"),
        ("bake", "http"),
    ]


def test_a_name_twice_at_one_point_is_refused(tmp_path: Path) -> None:
    hooks = [{"http": "/a", "name": "x"}, {"http": "/b", "name": "x"}]
    assert "hooks.test[1].name: is the name of another hook here" in problem(tmp_path, hooks={"test": hooks})


def test_common_keys_of_a_hook_reach_its_spec(tmp_path: Path) -> None:
    entry = {"command": ["a"], "name": "n", "timeout": "1m", "retries": 2, "backoff": "1s", "unavailable": "hold"}
    hook = read(tmp_path, hooks={"before_launch": [entry]}).spec.hooks[0]
    assert hook == HookSpec(HookPoint.BEFORE_LAUNCH, "n", "command", {"run": ["a"]}, 60.0, 2, 1.0, Consequence.HOLD)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("1h", 3600),
        ("1h30m", 5400),
        ("500ms", 0.5),
        ("2d", 172800),
        ("1.5h", 5400),
        ("0s", 0),
    ],
)
def test_durations_read_as_people_write_them(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds
    assert seconds_of(duration_text(seconds)) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "30m1h", "1h1h", "5M", "1e3s", "5min", "٥s"])
def test_what_is_no_duration_is_none(text: str) -> None:
    assert seconds_of(text) is None


def test_the_environment_is_read_only_where_it_is_handed_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONLY_IN_THE_PROCESS", "x")
    assert "ONLY_IN_THE_PROCESS, which is not set" in problem(tmp_path, ENVIRONMENT, region="${ONLY_IN_THE_PROCESS}")


def test_a_configuration_may_be_json(tmp_path: Path) -> None:
    assert read_text(tmp_path, json.dumps(json.loads(json.dumps({"service": "a"} | _rest())))).spec.service == "a"


def _rest() -> dict[str, object]:
    slots = [{"target_group": f"o-{n}", "service": f"o-{n}"} for n in range(2)]
    return {"cluster": "c", "slots": slots, "production": [{"load_balancer": "p", "port": 80}]}
