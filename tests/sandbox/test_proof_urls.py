"""The URLs that hooks are given lead to the sandbox's listeners, on port 80 too, without a base_url."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.sandbox.team import BLUE, GREEN, Team

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("proof-urls")]

HEADER = {"name": "X-Bluegreen-Test", "values": "green"}
ASKS = (
    "import json, os, urllib.request as r; print(json.load(r.urlopen(os.environ['BLUEGREEN_PRODUCTION_URL']))['image'])"
)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    team = Team(tmp_path_factory.mktemp("urls"), DeregistrationDelay="1")
    yield team
    team.close()


def make_rule_for_the_header(team: Team) -> None:
    groups = [
        {"TargetGroupArn": team.sandbox.target_group(name), "Weight": weight}
        for name, weight in (("orders-1", 1), ("orders-2", 0))
    ]
    header = {"HttpHeaderName": HEADER["name"], "Values": [HEADER["values"]]}
    team.sandbox.client("elbv2").create_rule(
        ListenerArn=team.sandbox.listener(80),
        Priority=5,
        Conditions=[{"Field": "http-header", "HttpHeaderConfig": header}],
        Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}],
    )


def test_a_header_rule_on_the_users_listener_is_tested_and_a_hook_asks_production_where_the_users_do(
    team: Team,
) -> None:
    make_rule_for_the_header(team)
    asks = {
        "command": {"run": f'{sys.executable} -c "{ASKS}" >> asked', "shell": True}
    }  # its folder is the configuration's
    team.configure(
        test={"load_balancer": "prod", "port": 80, "rule": {"header": HEADER}},
        hooks={
            "test": [{"http": {"path": "/", "json": {"image": GREEN}}}],
            "before_shift": [{**asks, "name": "before"}],
            "after_shift": [{**asks, "name": "after"}],
        },
        shift="all-at-once",
    )
    team.deploy()
    assert (team.root / "asked").read_text().split() == [BLUE, GREEN]
    told = team.status()["deployment"]
    assert told["routes"][0]["url"] == told["test_route"]["url"] == team.sandbox.url(80)
