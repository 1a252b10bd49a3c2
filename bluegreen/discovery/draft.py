"""A configuration's text from what was found, with what was found and what was guessed beside it. Pure.

It holds nothing that changes from one deployment to the next: neither counts nor which slot is live.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import yaml

from bluegreen.discovery.base import RouteFacts
from bluegreen.discovery.found import Chosen, Found, GateFound, Smoke
from bluegreen.discovery.smoke import base_url
from bluegreen.discovery.sorting import test_header

WIDTH = 120


@dataclass(frozen=True, slots=True)
class _Line:
    code: str
    comment: str = ""


def draft(found: Found) -> str:
    """YAML that loads, and names what was found."""
    blocks = [
        _head(found),
        _names(found),
        _slots(found),
        _production(found),
        _test(found),
        _course(),
        _gates(found),
        _hooks(found.smoke),
    ]
    return "\n".join(text for block in blocks if (text := "".join(_aligned(block))))


def route_words(route: RouteFacts) -> dict[str, object]:
    """The route as a configuration names it."""
    if route.by_arn:
        return {"arn": route.arn}
    words: dict[str, object] = {"load_balancer": route.balancer.name, "port": route.port}
    return words | ({"rule": dict(route.rule)} if route.rule else {})


# Private


def _head(found: Found) -> list[_Line]:
    return [
        _said(f"Written by bluegreen init, from what is live in cluster {found.cluster}."),
        _said(
            "Where a comment says guess, look whether it is so; then: bluegreen verify. Every key: bluegreen schema."
        ),
    ]


def _names(found: Found) -> list[_Line]:
    return [
        _Line(f"service: {_yaml(found.pair.name)}", "the name in bluegreen: of its lock, its history, its reports"),
        _Line(f"cluster: {_yaml(found.cluster)}", found.cluster_why),
        _Line(f"region: {_yaml(found.region)}"),
        _Line("# store: dynamodb://bluegreen", "for a team or a pipeline, after bluegreen store create; else a file"),
    ]


def _slots(found: Found) -> list[_Line]:
    slots = [{"target_group": slot.target_group, "service": slot.service} for slot in found.pair.slots]
    return [
        _said("The two places that can take the traffic. Which one is live is read from the weights, not from a name."),
        _Line("slots:", ("guess: " if found.pair.guess else "") + found.pair.why),
        *(_Line(f"  - {_yaml(slot)}") for slot in slots),
    ]


def _production(found: Found) -> list[_Line]:
    return [
        _said("The routes that carry users' traffic; they are shifted together."),
        _Line("production:"),
        *(_chosen("  - ", each) for each in found.routes.production),
        *(_chosen("  # - ", each) for each in found.routes.left_out),
    ]


def _chosen(before: str, chosen: Chosen) -> _Line:
    return _Line(before + _yaml(route_words(chosen.route)), ("guess: " if chosen.guess else "") + chosen.why)


def _test(found: Found) -> list[_Line]:
    title = _said("The route that carries test traffic to green, before any user's request does.")
    chosen = found.routes.test
    if chosen is None:
        missing = _said("None was found: another listener, or a rule with a header condition, that leads to a slot.")
        return [title, missing, _Line("# test: {load_balancer: NAME, port: 8080}")]
    reach = [_said("Its load balancer is internal: hooks must run where they can reach it.")]
    words = route_words(chosen.route) | _asking(chosen.route)
    return [
        title,
        *(reach if chosen.route.balancer.internal else []),
        _Line(f"test: {_yaml(words)}", f"guess: {chosen.why}"),
    ]


def _asking(route: RouteFacts) -> dict[str, object]:
    """What hooks must be told to meet the route's conditions."""
    address, header = base_url(route), test_header(route)
    told: dict[str, object] = {"base_url": address} if address else {}
    if header is not None and route.header is not None and route.header[1] != (header[1],):
        told["header"] = {"name": header[0], "value": header[1]}
    return told


def _course() -> list[_Line]:
    return [
        _said("How a deployment goes: a place to start from."),
        _Line("health: {percent: 100, settle: 10s}", "green is launched when all its targets stay healthy so long"),
        _Line("shift: {canary: {percent: 5, wait: 5m}}", "5% of the users first, everything when that went well"),
        _Line("bake: {time: 30m}", "blue stays warm so long: until then a rollback takes a second"),
    ]


def _gates(found: Found) -> list[_Line]:
    title = _said("Alarms watched while traffic is on green: one that fires rolls back.")
    gates = [_gate("  - ", gate, gate.watches) for gate in found.active_gates]
    others = [_gate("  # - ", gate, f"{gate.watches}: {gate.left_out}") for gate in found.gates if gate.left_out]
    if gates:
        return [title, _Line("gates:"), *gates, *others]
    why = "none can be taken as it is" if others else found.blind or "none watches these target groups"
    return [title, _Line("# gates:", why), *(others or [_Line("  # - {alarm: NAME}")])]


def _gate(before: str, gate: GateFound, comment: str) -> _Line:
    return _Line(before + _yaml({"alarm": gate.alarm}), comment)


def _hooks(smoke: Smoke) -> list[_Line]:
    title = _said("Tests of green, through the test route. Yours go here: pytest, command, lambda, … (docs/hooks.md).")
    entry = f"    - {_yaml({'http': _request(smoke)})}"
    if smoke.left_out:
        return [title, _Line("# hooks:", smoke.left_out), _Line("#   test:"), _Line(f"# {entry}")]
    why = "the target group's health check"
    if not smoke.verify:
        why += "; verify: false, as no certificate is for the load balancer's own name"
    return [title, _Line("hooks:"), _Line("  test:"), _Line(entry, why)]


def _request(smoke: Smoke) -> dict[str, object]:
    settings: dict[str, object] = {"path": smoke.path or "/health"}
    if smoke.status:
        settings["status"] = smoke.status[0] if len(smoke.status) == 1 else list(smoke.status)
    return settings if smoke.verify else settings | {"verify": False}


def _said(text: str) -> _Line:
    return _Line(f"# {_plain(text)}")


def _aligned(lines: Sequence[_Line]) -> Iterator[str]:
    """Comments of neighbours in one column; one that would not fit stands above its line."""
    widths = [len(line.code) for line in lines if line.comment and _fits(line, len(line.code))]
    column = max(widths, default=0)
    for line in lines:
        comment = _plain(line.comment)
        at = column if _fits(line, column) else len(line.code)
        if not comment:
            yield f"{line.code}\n"
        elif _fits(line, at):
            yield f"{line.code:<{at}}  # {comment}\n"
        else:
            indent = len(line.code) - len(line.code.lstrip())
            yield f"{' ' * indent}# {comment}\n{line.code}\n"


def _fits(line: _Line, column: int) -> bool:
    return max(column, len(line.code)) + 4 + len(_plain(line.comment)) <= WIDTH


def _plain(text: str) -> str:
    """On one line, of what YAML allows in a comment."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _yaml(value: object) -> str:
    """On one line, quoted where it must be; ``${`` stands for itself."""
    text = yaml.safe_dump(
        _literal(value), default_flow_style=True, sort_keys=False, allow_unicode=True, width=sys.maxsize
    )
    return text.removesuffix("...\n").strip()


def _literal(value: object) -> object:
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, dict):
        return {key: _literal(each) for key, each in value.items()}
    return [_literal(each) for each in value] if isinstance(value, list | tuple) else value
