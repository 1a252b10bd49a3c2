"""A route's URL where a sandbox serves a port on another one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.elbv2.models import elbv2_backends

from bluegreen.clock import FakeClock
from bluegreen.traffic.alb import AlbRouter
from bluegreen.traffic.fake import forward_to
from bluegreen.wiring import Options, Session, this_process
from tests.contract.traffic_worlds import REGION, MotoWorld, moto_world


@pytest.fixture
def world() -> Iterator[MotoWorld]:
    with moto_world() as made:
        yield made


def url_of(world: MotoWorld, router: AlbRouter, port: int) -> str | None:
    spec = world.listener(port, [forward_to({world.blue.target_group_arn: 1})])
    return router.resolve(spec, (world.blue, world.green)).url


def live_in_a_sandbox(world: MotoWorld) -> None:
    for balancer in elbv2_backends[DEFAULT_ACCOUNT_ID][REGION].load_balancers.values():
        balancer.dns_name = "127.64.1.1"


def test_a_route_s_url_is_where_the_sandbox_serves_its_port(world: MotoWorld) -> None:
    live_in_a_sandbox(world)
    router = AlbRouter(world.clients, FakeClock(), {80: 9080})
    assert url_of(world, router, 80) == "http://127.64.1.1:9080"
    assert url_of(world, router, 8080) == "http://127.64.1.1:8080"


def test_what_a_shell_still_knows_of_a_sandbox_changes_no_url_of_aws(world: MotoWorld) -> None:
    assert url_of(world, AlbRouter(world.clients, FakeClock(), {80: 9080}), 80) == f"http://{world.dns}:80"


@pytest.mark.parametrize(
    ("told", "port"), [("443=9443,80=9080", 9080), ("80=9080", 9080), ("", 80), ("80=", 80), ("nonsense", 80)]
)
def test_the_environment_tells_the_ports_and_nonsense_in_it_is_no_error(world: MotoWorld, told: str, port: int) -> None:
    live_in_a_sandbox(world)
    session = Session(Options(region=REGION), this_process("verify"), {"BLUEGREEN_SANDBOX_PORTS": told})
    spec = world.listener(80, [forward_to({world.blue.target_group_arn: 1})])
    route = session.router.resolve(spec, (world.blue, world.green))
    assert route.url == f"http://127.64.1.1:{port}"
