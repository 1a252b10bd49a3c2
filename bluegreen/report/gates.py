"""What the gates say: a word for each, and the numbers of those that are not simply quiet."""

from __future__ import annotations

from bluegreen.domain.deployment import Deployment, GateRecord
from bluegreen.domain.health import Observation
from bluegreen.report.text import Line, Span, Style, line, wrapped

_QUIET = "ok"
_STYLES = {_QUIET: Style.GOOD, "firing": Style.BAD}


def gate_lines(d: Deployment, seen: Observation, width: int, *, numbers: bool = True) -> list[Line]:
    """As seen just now; where this process looks at no gates, as the driver noted last.

    What a wait or a hold says already is not said twice.
    """
    states = {gate.name: gate.state for gate in d.gates if gate.state} | dict(seen.gates)
    if not states:
        return []
    shown: list[Span] = [Span("  gates ")]
    for name, state in states.items():
        shown += [Span(f" {name} "), Span(state.replace("_", " "), _STYLES.get(state, Style.WARN))]
    said = f"{d.waiting.reason if d.waiting else ''} {d.hold.reason if d.hold else ''}"
    told = [gate for gate in d.gates if numbers and _is_worth_a_line(gate) and gate.detail not in said]
    return [tuple(shown), *(row for gate in told for row in _detail(d, gate, width))]


def verdict_lines(d: Deployment, width: int) -> list[Line]:
    """Of a deployment that has ended: what its comparisons had to say."""
    return [
        row
        for gate in d.gates
        if _is_comparison(gate)
        for row in wrapped(line(f"  {gate.name:<9}  "), gate.detail, width, Style.DIM)
    ]


def is_accepted(d: Deployment, gate: GateRecord) -> bool:
    """A person let it pass. It is marked with the hold that asks for it, in one write; until then it is only asked."""
    return gate.accepted and d.hold is None


# Private


def _is_worth_a_line(gate: GateRecord) -> bool:
    return bool(gate.detail) and (gate.state != _QUIET or _is_comparison(gate))


def _is_comparison(gate: GateRecord) -> bool:
    return "intervals" in gate.numbers


def _detail(d: Deployment, gate: GateRecord, width: int) -> list[Line]:
    accepted = "; accepted by a person" if is_accepted(d, gate) else ""
    return wrapped(line(Span(f"         {gate.name}  ", Style.DIM)), f"{gate.detail}{accepted}", width, Style.DIM)
