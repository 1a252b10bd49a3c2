"""How much the record keeps of what its hooks said. Pure.

DynamoDB takes 400 KB in one item, and a shift of twenty steps may run each hook twenty times: a save that is refused
would stop a deployment in the middle. So the newest runs keep all they said, those that did not pass before those that
did; the others keep their last line, numbers and links, and the oldest of very many keep their verdict.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from bluegreen.domain.deployment import HookRun, HookStatus
from bluegreen.hooks.base import Passed, Pending, Verdict

WHOLE = 96 * 1024
"""Bytes of the runs that keep all they said."""

BRIEF = 64 * 1024
"""Bytes of those that keep their last line, numbers and links."""

_MOST_NUMBERS = 100
_LONGEST_NAME = 200
_MOST_LINKS = 50
_LONGEST_LINK = 2000
_LAST_LINE = 300
_DETAIL = 2000
_BARE_DETAIL = 80
_CUT = "…"


def kept(runs: Sequence[HookRun]) -> tuple[HookRun, ...]:
    """What was cut begins with ``…``. What still runs is left alone."""
    found = list(runs)
    whole, brief = WHOLE, BRIEF
    for at in sorted(range(len(runs)), key=lambda at: _rank(runs[at]), reverse=True):
        run = runs[at]
        if run.is_open or _size(run) <= whole:
            whole -= _size(run)
        elif _size(_brief(run)) <= brief:
            found[at] = _brief(run)
            brief -= _size(found[at])
        else:
            found[at] = _bare(run)
    return tuple(found)


def bounded(verdict: Verdict) -> Verdict:
    """What one verdict may hand over: an event carries it too, and a callable may answer a table as numbers."""
    links = dict(islice(((n, to) for n, to in verdict.links.items() if len(n) + len(to) <= _LONGEST_LINK), _MOST_LINKS))
    if isinstance(verdict, Pending):
        return replace(verdict, links=links)
    named = ((name, number) for name, number in verdict.numbers.items() if len(name) <= _LONGEST_NAME)
    numbers = dict(islice(named, _MOST_NUMBERS))
    if isinstance(verdict, Passed):
        return replace(verdict, detail=_shortened(verdict.detail, _DETAIL), numbers=numbers, links=links)
    return replace(verdict, reason=_shortened(verdict.reason, _DETAIL), numbers=numbers, links=links)


# Private


def _rank(run: HookRun) -> tuple[bool, bool, float]:
    return run.is_open, run.status is not HookStatus.PASSED, run.started_at


def _size(run: HookRun) -> int:
    said = (run.detail, run.output, run.numbers, run.links)
    return len(json.dumps(said, ensure_ascii=False).encode("utf-8", "replace"))


def _brief(run: HookRun) -> HookRun:
    last = (_CUT, _shortened(run.output[-1], _LAST_LINE)) if run.output else ()
    return replace(run, output=last, detail=_shortened(run.detail, _DETAIL))


def _bare(run: HookRun) -> HookRun:
    longest = _BARE_DETAIL if run.status is HookStatus.PASSED else _LAST_LINE
    cut = (_CUT,) if run.output else ()
    return replace(run, output=cut, numbers={}, links={}, detail=_shortened(run.detail, longest))


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}{_CUT}"
