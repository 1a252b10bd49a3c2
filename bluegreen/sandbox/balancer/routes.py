"""Listener rules → Envoy routes. Pure.

A sticky forward becomes one route for each target group, matched by its AWSALBTG cookie, ahead of the
weighted one. Whether AWS honours the cookie of a target group at weight 0 is not documented; the sandbox
does, because that is the hazard a canary or a rollback has to reckon with.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bluegreen.sandbox.balancer.conditions import header_regex, match_of
from bluegreen.sandbox.balancer.model import FixedResponse, Forward, Listener, Redirect, Rule, TargetGroup, Weighted

_log = logging.getLogger(__name__)
GROUP_COOKIE = "AWSALBTG"
TARGET_COOKIE = "AWSALB"
SESSION_FILTER = "session"
_TYPE = "type.googleapis.com/envoy.extensions"
_REDIRECTS = {301: "MOVED_PERMANENTLY", 302: "FOUND"}

Json = dict[str, Any]


def routes_of(
    listener: Listener,
    groups: Mapping[str, TargetGroup],
    idle_timeout: float,
    real_port: Callable[[int], int],
) -> list[Json]:
    """``real_port`` maps a port of this load balancer to the one the sandbox serves it on.

    A rule that cannot be translated (the API let a wrong address range through) is logged and left out.
    """
    found: list[Json] = []
    for rule in listener.rules:
        try:
            found += _routes(rule, groups, idle_timeout, listener.port, real_port)
        except ValueError as error:
            _log.error("rule %s is left out: %s", rule.arn, error)
    return found


def _routes(
    rule: Rule,
    groups: Mapping[str, TargetGroup],
    idle_timeout: float,
    own_port: int,
    real_port: Callable[[int], int],
) -> Iterator[Json]:
    match = match_of(rule.conditions)
    if isinstance(rule.action, FixedResponse):
        yield {"match": match, **_fixed_response(rule.action)}
    elif isinstance(rule.action, Redirect):
        yield {"match": match, **_redirect(rule.action, own_port, real_port)}
    else:
        yield from _forward_routes(rule.action, match, groups, idle_timeout)


def _forward_routes(forward: Forward, match: Json, groups: Mapping[str, TargetGroup], idle: float) -> Iterator[Json]:
    if forward.cookie_seconds is not None:
        for weighted in forward.groups:
            cookie = header_regex("cookie", rf"(.*;\s*)?{GROUP_COOKIE}={cookie_value(weighted.target_group)}(;.*)?")
            sticky = {**match, "headers": [*match.get("headers", []), cookie]}
            only = Forward((Weighted(weighted.target_group, 1),), forward.cookie_seconds)
            yield {"match": sticky, **_weighted(only, groups, idle)}
    yield {"match": match, **_weighted(forward, groups, idle)}


def cookie_value(target_group: str) -> str:
    return hashlib.sha256(target_group.encode()).hexdigest()[:40]


def _weighted(forward: Forward, groups: Mapping[str, TargetGroup], idle: float) -> Json:
    known = [each for each in forward.groups if each.weight > 0 and each.target_group in groups]
    if not known:
        return {"direct_response": {"status": 503}}
    clusters = [_share(each, groups[each.target_group], forward.cookie_seconds) for each in known]
    return {"route": {"timeout": "0s", "idle_timeout": f"{idle:g}s", "weighted_clusters": {"clusters": clusters}}}


def _share(weighted: Weighted, group: TargetGroup, cookie_seconds: int | None) -> Json:
    share: Json = {"name": group.key, "weight": weighted.weight}
    if cookie_seconds is not None:
        cookie = f"{GROUP_COOKIE}={cookie_value(group.arn)}; Max-Age={cookie_seconds}; Path=/"
        share["response_headers_to_add"] = [
            {"header": {"key": "set-cookie", "value": cookie}, "append_action": "APPEND_IF_EXISTS_OR_ADD"}
        ]
    if group.cookie_seconds is not None:
        share["typed_per_filter_config"] = {SESSION_FILTER: _target_session(group.cookie_seconds)}
    return share


def _target_session(seconds: int) -> Json:
    state = {
        "@type": f"{_TYPE}.http.stateful_session.cookie.v3.CookieBasedSessionState",
        "cookie": {"name": TARGET_COOKIE, "path": "/", "ttl": f"{seconds}s"},
    }
    return {
        "@type": f"{_TYPE}.filters.http.stateful_session.v3.StatefulSessionPerRoute",
        "stateful_session": {
            "session_state": {"name": "envoy.http.stateful_session.cookie", "typed_config": state},
        },
    }


def _fixed_response(action: FixedResponse) -> Json:
    response: Json = {"status": action.status}
    if action.body:
        response["body"] = {"inline_string": action.body}
    header = {"header": {"key": "content-type", "value": action.content_type}}
    return {
        "direct_response": response,
        "response_headers_to_add": [{**header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}],
    }


def _redirect(action: Redirect, own_port: int, real_port: Callable[[int], int]) -> Json:
    """Envoy's own redirect where it can express it. It cannot add to the query of a path it keeps or extends:
    there the Location is written out, and ``#{host}`` brings its port along even when the port should change.
    """
    port = real_port(own_port if action.port == "#{port}" else int(action.port))
    if action.query not in ("", "#{query}") and ("#{path}" in action.path or "#{query}" in action.query):
        return _written_location(action, port)
    redirect: Json = {"response_code": _REDIRECTS[action.status], **_redirect_path(action.path, action.query)}
    if action.host != "#{host}":
        redirect["host_redirect"] = action.host
    # Envoy forgets the port along with the host.
    if action.host != "#{host}" or action.port != "#{port}":
        redirect["port_redirect"] = port
    return {"redirect": redirect}


def _written_location(action: Redirect, port: int) -> Json:
    authority = "%REQ(:AUTHORITY)%" if action.host == "#{host}" else f"{action.host}:{port}"
    path = action.path.replace("%", "%%").replace("/#{path}", "%PATH(NQ)%")
    query = action.query.replace("%", "%%").replace("#{query}", "%QUERY_PARAMS(ORIG)%")
    header = {"header": {"key": "location", "value": f"http://{authority}{path}?{query}"}}
    return {
        "direct_response": {"status": action.status},
        "response_headers_to_add": [{**header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}],
    }


def _redirect_path(path: str, query: str) -> Json:
    if path == "/#{path}":
        return {"strip_query": True} if query == "" else {}
    if "#{path}" in path:
        rewrite = {
            "pattern": {"regex": "^/(.*)$"},
            "substitution": path.replace("\\", "\\\\").replace("#{path}", r"\1"),
        }
        return {"regex_rewrite": rewrite, "strip_query": query == ""}
    suffix = f"?{query}" if query not in ("", "#{query}") else ""
    return {"path_redirect": path + suffix, "strip_query": query == ""}
