"""The sandbox's load balancer: Envoy carries real traffic for what the emulated ELBv2 API was asked for.

A reconcile reads the emulator's ELBv2 backend (``emulator``) into frozen values (``model``), translates
them into Envoy resources (``conditions``, ``routes``, ``resources``: pure), and delivers these without a
restart (``proxy``). Our own checker (``health``, ``prober``) decides which targets Envoy may use, so what
DescribeTargetHealth says is what decides the routing. ``metrics`` and ``alarms`` bring what Envoy saw to
CloudWatch.

Where it differs from an ALB: HTTPS listeners speak plain HTTP (with ``X-Forwarded-Proto: https``);
authenticate-* actions are passed over; ``app_cookie`` stickiness, slow start, ``X-Amzn-Trace-Id`` and
WAF are not imitated; a redirect to another listener's port names the sandbox's real port, so that it can
be followed. A request is never retried: a target that dies under a request shows as 502, as on AWS.
"""

from __future__ import annotations

from bluegreen.clock import Clock
from bluegreen.sandbox.balancer.balancer import EnvoyBalancer
from bluegreen.sandbox.base import Balancer, Nursery, Settings

__all__ = ["create_balancer"]


def create_balancer(settings: Settings, nursery: Nursery, clock: Clock) -> Balancer:
    return EnvoyBalancer(settings, nursery, clock)
