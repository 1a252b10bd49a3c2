"""A snapshot of ELBv2 and the health of its targets → everything Envoy is told. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bluegreen.sandbox.balancer.conditions import SOURCE_KEY
from bluegreen.sandbox.balancer.model import Listener, LoadBalancer, Snapshot, Target, TargetGroup
from bluegreen.sandbox.balancer.routes import SESSION_FILTER, Json, routes_of
from bluegreen.sandbox.place import served_on

STAT_PREFIX = "alb"
REQUESTS_STAT = "requests"
TIME_STAT = "time"
_TYPE = "type.googleapis.com/envoy"
_EXTENSION = f"{_TYPE}.extensions"
# Below the keep-alive of common servers (gunicorn 2 s, uvicorn and Node 5 s), so that a request never meets
# a connection its target is just closing: no retry is needed, and none is made.
_UPSTREAM_IDLE = "1.5s"
_UNLIMITED = 1_000_000
_BAD_GATEWAY_FLAGS = ["UF", "UC", "UR", "UPE", "UO"]
_ERROR_PAGES = {502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``status`` is Envoy's word: HEALTHY gets requests, UNHEALTHY and DRAINING get none."""

    target: Target
    status: str


@dataclass(frozen=True, slots=True)
class Resources:
    """Each by its name, ready to be written as JSON."""

    clusters: dict[str, Json] = field(default_factory=dict)
    endpoints: dict[str, Json] = field(default_factory=dict)
    listeners: dict[str, Json] = field(default_factory=dict)
    routes: dict[str, Json] = field(default_factory=dict)


def resources_of(
    snapshot: Snapshot,
    endpoints: Mapping[str, Sequence[Endpoint]],
    address_of: Callable[[str], str],
    source_of: Callable[[str, str], Json],
) -> Resources:
    """``endpoints`` by target group ARN; ``address_of`` a load balancer's ARN; ``source_of(kind, name)`` is
    the Envoy ConfigSource of a route ("rds") or endpoint ("eds") resource."""
    groups = {group.arn: group for group in snapshot.target_groups}
    found = Resources()
    for group in snapshot.target_groups:
        found.clusters[group.key] = _cluster(group, source_of("eds", group.key))
        found.endpoints[group.key] = _assignment(group, endpoints.get(group.arn, ()))
    for balancer in snapshot.load_balancers:
        ports = real_ports(balancer)
        for listener in balancer.listeners:
            place = (address_of(balancer.arn), ports[listener.port])
            found.listeners[listener.key] = _listener(balancer, listener, place, source_of("rds", listener.key))
            found.routes[listener.key] = _route_config(balancer, listener, groups, ports)
    return found


def real_ports(balancer: LoadBalancer) -> dict[int, int]:
    """Each declared port with the one it is served on: privileged ports move up by 9000, or on when taken."""
    declared = sorted(listener.port for listener in balancer.listeners)
    ports = {port: port for port in declared if served_on(port) == port}
    for port in (port for port in declared if port not in ports):
        candidates = range(served_on(port), 65000, 1000)
        ports[port] = next(each for each in candidates if each not in ports.values())
    return ports


def _cluster(group: TargetGroup, source: Json) -> Json:
    cluster: Json = {
        "@type": f"{_TYPE}.config.cluster.v3.Cluster",
        "name": group.key,
        "type": "EDS",
        "connect_timeout": "10s",
        "lb_policy": "LEAST_REQUEST" if group.algorithm == "least_outstanding_requests" else "ROUND_ROBIN",
        "eds_cluster_config": {"eds_config": source},
        # Fail-open is decided where DescribeTargetHealth is answered, never by Envoy on its own.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "circuit_breakers": {
            "thresholds": [
                {"max_connections": _UNLIMITED, "max_pending_requests": _UNLIMITED, "max_requests": _UNLIMITED}
            ]
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{_EXTENSION}.upstreams.http.v3.HttpProtocolOptions",
                "common_http_protocol_options": {"idle_timeout": _UPSTREAM_IDLE},
                "explicit_http_config": _upstream_protocol(group),
            }
        },
    }
    if group.protocol == "HTTPS":
        tls = {"@type": f"{_EXTENSION}.transport_sockets.tls.v3.UpstreamTlsContext"}
        cluster["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": tls}
    return cluster


def _upstream_protocol(group: TargetGroup) -> Json:
    return {"http_protocol_options": {}} if group.protocol_version == "HTTP1" else {"http2_protocol_options": {}}


def _assignment(group: TargetGroup, endpoints: Sequence[Endpoint]) -> Json:
    return {
        "@type": f"{_TYPE}.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": group.key,
        "endpoints": [{"lb_endpoints": [_endpoint(each) for each in endpoints]}],
    }


def _endpoint(endpoint: Endpoint) -> Json:
    address = {"address": endpoint.target.address, "port_value": endpoint.target.port}
    return {"health_status": endpoint.status, "endpoint": {"address": {"socket_address": address}}}


def _route_config(
    balancer: LoadBalancer, listener: Listener, groups: Mapping[str, TargetGroup], ports: Mapping[int, int]
) -> Json:
    routes = routes_of(listener, groups, balancer.idle_timeout, lambda port: ports.get(port, port))
    return {
        "@type": f"{_TYPE}.config.route.v3.RouteConfiguration",
        "name": listener.key,
        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}],
        "request_headers_to_add": [
            _header("x-forwarded-for", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%", "APPEND_IF_EXISTS_OR_ADD"),
            _header("x-forwarded-proto", listener.protocol.lower()),
            _header("x-forwarded-port", str(listener.port)),
        ],
        "request_headers_to_remove": ["x-envoy-internal", "x-envoy-external-address"],
    }


def _header(name: str, value: str, append: str = "OVERWRITE_IF_EXISTS_OR_ADD") -> Json:
    return {"header": {"key": name, "value": value}, "append_action": append}


def _listener(balancer: LoadBalancer, listener: Listener, place: tuple[str, int], source: Json) -> Json:
    return {
        "@type": f"{_TYPE}.config.listener.v3.Listener",
        "name": listener.key,
        "address": {"socket_address": {"address": place[0], "port_value": place[1]}},
        "filter_chains": [{"filters": [_source_filter(), _http_filter(balancer, listener, source)]}],
    }


def _source_filter() -> Json:
    """Keeps the client's address where the source-ip condition can match it."""
    value = {"text_format_source": {"inline_string": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"}}
    state = {"object_key": SOURCE_KEY, "factory_key": "envoy.network.ip", "format_string": value}
    config = {"@type": f"{_EXTENSION}.filters.network.set_filter_state.v3.Config", "on_new_connection": [state]}
    return {"name": "source", "typed_config": config}


def _http_filter(balancer: LoadBalancer, listener: Listener, source: Json) -> Json:
    manager = "filters.network.http_connection_manager.v3.HttpConnectionManager"
    config: Json = {
        "@type": f"{_EXTENSION}.{manager}",
        "stat_prefix": "alb",
        "rds": {"route_config_name": listener.key, "config_source": source},
        "skip_xff_append": True,
        "generate_request_id": False,
        "server_name": "awselb/2.0",
        "server_header_transformation": "APPEND_IF_ABSENT",
        "http_protocol_options": {"accept_http_10": True},
        "common_http_protocol_options": {"idle_timeout": f"{balancer.idle_timeout:g}s"},
        "stream_idle_timeout": f"{balancer.idle_timeout:g}s",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "access_log": [_request_stats(balancer)],
        "http_filters": [
            _named(SESSION_FILTER, "filters.http.stateful_session.v3.StatefulSession"),
            _named("router", "filters.http.router.v3.Router", suppress_envoy_headers=True),
        ],
        "local_reply_config": {"mappers": _error_pages()},
    }
    return {"name": "http", "typed_config": config}


def _named(name: str, kind: str, **options: Any) -> Json:
    return {"name": name, "typed_config": {"@type": f"{_EXTENSION}.{kind}", **options}}


def _request_stats(balancer: LoadBalancer) -> Json:
    """Counts every finished request by target group, status and origin: what CloudWatch is told.

    ``via_upstream`` in the details tells a target's own 5xx from the load balancer's.
    """
    tags = [
        {"name": "lb", "value_format": balancer.key},
        {"name": "tg", "value_format": "%UPSTREAM_CLUSTER%"},
        {"name": "code", "value_format": "%RESPONSE_CODE%"},
        {"name": "details", "value_format": "%RESPONSE_CODE_DETAILS%"},
    ]
    counter = {"stat": {"name": REQUESTS_STAT, "tags": tags}, "value_fixed": 1}
    time = {
        "stat": {"name": TIME_STAT, "tags": tags[:2]},
        "unit": "Microseconds",
        "value_format": "%COMMON_DURATION(US_TX_BEG:US_RX_BEG:us)%",
    }
    return _named(
        "stats", "access_loggers.stats.v3.Config", stat_prefix=STAT_PREFIX, counters=[counter], histograms=[time]
    )


def _error_pages() -> list[Json]:
    """The load balancer's own errors look like an ALB's; a fixed response is left as it is."""
    return [
        _error_page(502, _BAD_GATEWAY_FLAGS),
        _error_page(503, ["UH", "NC"]),
        _error_page(504, ["UT", "SI"]),
    ]


def _error_page(status: int, flags: list[str]) -> Json:
    title = f"{status} {_ERROR_PAGES[status]}"
    head = f"<html>\r\n<head><title>{title}</title></head>\r\n"
    page = f"{head}<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    return {
        "filter": {"response_flag_filter": {"flags": flags}},
        "status_code": status,
        "body_format_override": {"text_format_source": {"inline_string": page}, "content_type": "text/html"},
    }
