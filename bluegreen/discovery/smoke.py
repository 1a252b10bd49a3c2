"""The target group's health check as a smoke test through the test route, where it would be answered. Pure."""

from __future__ import annotations

import re
from fnmatch import translate

from bluegreen.discovery.base import GroupFacts, RouteFacts
from bluegreen.discovery.found import Chosen, Smoke

_USUAL = ("200", "200-299")


def smoke_of(test: Chosen | None, group: GroupFacts) -> Smoke:
    """A deployment without a test proves little; one whose test cannot pass proves nothing."""
    if test is None:
        return Smoke(left_out="there is no test route to ask through")
    reason = _unasked(group) or _astray(test.route, group.health_path)
    if reason:
        return Smoke(group.health_path, left_out=reason)
    return Smoke(group.health_path, _status(group.health_codes), verify=not _foreign_certificate(test.route))


def base_url(route: RouteFacts) -> str | None:
    """Where a host condition is met; None where there is none, or only patterns."""
    plain = [host for host in route.condition("host") if re.fullmatch(r"[A-Za-z0-9.-]+", host)]
    if not plain:
        return None
    usual = 443 if route.secure else 80
    return f"{'https' if route.secure else 'http'}://{plain[0]}{'' if route.port == usual else f':{route.port}'}"


# Private


def _unasked(group: GroupFacts) -> str:
    """Why the health check is no request that a hook could make."""
    if group.version == "GRPC":
        return "the health check speaks gRPC"
    if not re.fullmatch(r"/[^\x00-\x20\x7f]*", group.health_path):
        return "the target group's health check has no path"
    if group.health_port not in ("traffic-port", str(group.port)):
        return f"the health check asks port {group.health_port}, which the test route does not lead to"
    return ""


def _astray(route: RouteFacts, path: str) -> str:
    """Why a plain GET of the path would not meet the route's conditions; the header is sent by itself."""
    if route.by_arn:
        return "the test route's conditions are not known here"
    if route.condition("host") and base_url(route) is None:
        return "the test route wants a host that only a pattern names; give test: a base_url"
    paths = route.condition("path")
    if paths and not any(_meets(pattern, path.partition("?")[0]) for pattern in paths):
        return f"the test route takes {', '.join(paths)} only"
    methods = route.condition("method")
    if methods and "GET" not in methods:
        return f"the test route takes {', '.join(methods)} only"
    for word, said in (("query", "a query string"), ("source_ip", "certain source addresses")):
        if route.condition(word):
            return f"the test route wants {said}"
    return ""


def _meets(pattern: str, path: str) -> bool:
    """ELBv2's wildcards are ``*`` and ``?``; brackets stand for themselves."""
    return re.fullmatch(translate(pattern.replace("[", "[[]")), path) is not None


def _foreign_certificate(route: RouteFacts) -> bool:
    """A certificate is not for the load balancer's own name, which is asked where no host is known."""
    return route.secure and base_url(route) is None


def _status(codes: str) -> tuple[int | str, ...]:
    if codes in _USUAL:
        return ()
    parts = [part.strip() for part in codes.split(",")]
    if not all(re.fullmatch(r"[1-5]\d\d(-[1-5]\d\d)?", part) for part in parts):
        return ()
    return tuple(int(part) if part.isdigit() else part for part in parts)
