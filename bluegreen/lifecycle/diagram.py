"""The lifecycle as a page: drawn from the table, so that it cannot differ from what runs."""

from __future__ import annotations

from bluegreen.domain.deployment import Phase
from bluegreen.lifecycle.table import MOVES, Trigger

_MEANING = {
    Phase.PENDING: "the record exists; the release is registered",
    Phase.LAUNCH: "green gets the release at blue's size, with 0% of production traffic",
    Phase.TEST: "the test route sends everything to green; the tests run through it",
    Phase.SHIFT: "green gets its share step by step, under the gates",
    Phase.BAKE: "green has all traffic, blue stays warm",
    Phase.TEARDOWN: "blue is scaled in, once the live split is read back as all green and settled",
    Phase.SUCCEEDED: "the release is live and known-good",
    Phase.ROLLBACK: "one write for each production route puts blue back; then green is drained and scaled in",
    Phase.ROLLED_BACK: "blue is live; the release is in quarantine",
}


def lifecycle_page() -> str:
    return "\n".join(
        [
            "# The lifecycle",
            "",
            "<!-- Written by scripts/docs from bluegreen/lifecycle/table.py. -->",
            "",
            "A deployment ends `succeeded` or `rolled_back`; there is no third end. Any phase may *hold* for a person.",
            "One that passes its deadline rolls back, or holds (`deadlines.on_deadline`); teardown and rollback hold.",
            "",
            "```mermaid",
            *_diagram(),
            "```",
            "",
            "| phase | what happens | goes on when |",
            "|---|---|---|",
            *_rows(),
            "",
            "`roll_back` is legal from every phase before the end: " + _sources(Trigger.ROLL_BACK) + ".",
            "",
        ]
    )


# Private


def _diagram() -> list[str]:
    first = [f"    [*] --> {Phase.PENDING.value}"]
    moves = [f"    {move.source.value} --> {move.dest.value}: {move.trigger.value}" for move in MOVES]
    last = [f"    {phase.value} --> [*]" for phase in Phase if phase.final]
    return ["stateDiagram-v2", *first, *moves, *last]


def _rows() -> list[str]:
    onward = {move.source: move.when for move in MOVES if move.trigger is not Trigger.ROLL_BACK}
    return [f"| `{phase.value}` | {_MEANING[phase]} | {onward.get(phase, '–')} |" for phase in Phase]


def _sources(trigger: Trigger) -> str:
    return ", ".join(f"`{move.source.value}`" for move in MOVES if move.trigger is trigger)
