"""``approval``: a person says yes or no with ``bluegreen approve`` or ``bluegreen reject``; silence has a meaning too.

The question is the hook's run in the record, and the answer stands in the store: any driver on any machine reads it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bluegreen.domain.approval import Decision, question
from bluegreen.errors import BluegreenError, HookLostError, HookUnavailableError
from bluegreen.hooks.base import Failed, HookCall, Passed, Pending, Verdict
from bluegreen.hooks.running import Surroundings
from bluegreen.hooks.words import shortened, took

if TYPE_CHECKING:
    from bluegreen.hooks.settings_remote import ApprovalSettings

_LOOK = 2.0
_BEFORE_THE_TIMEOUT = 1.0


class ApprovalHook:
    def __init__(self, settings: ApprovalSettings, around: Surroundings) -> None:
        self._settings = settings
        self._around = around

    def start(self, call: HookCall) -> Verdict:
        # The engine's own timeout would be a plain "no answer": ours comes first, with its consequence.
        longest = max(0.1, call.timeout - min(_BEFORE_THE_TIMEOUT, call.timeout / 10))
        now = self._around.clock.now()
        asked = {
            "deployment": call.facts.get("deployment", ""),
            "service": call.facts.get("service", ""),
            "key": question(str(call.point), _step(call), call.name, call.attempt),
            "since": now,
            "until": now + min(self._settings.deadline or longest, longest),
        }
        return self._answer(json.dumps(asked))

    def poll(self, handle: str) -> Verdict:
        return self._answer(handle)

    def cancel(self, handle: str) -> None:
        """Nobody is asked any more: ``bluegreen approve`` only finds questions that are open in the record."""

    def _answer(self, handle: str) -> Verdict:
        asked = _parsed(handle)
        until = float(str(asked["until"]))
        decision = self._decision(str(asked["deployment"]), str(asked["key"]))
        if decision is not None and decision.at <= until:  # without a driver nobody ends the question in time
            return self._decided(decision, float(str(asked["since"])))
        left = until - self._around.clock.now()
        if left <= 0:
            return self._silence(asked)
        service, message = asked["service"], self._settings.message
        ask = f"{message} — " if message else ""
        progress = f"waits for a person: {ask}bluegreen approve {service}, or reject; {took(left)} left"
        return Pending(handle, min(_LOOK, left), self._say(progress), asks=True)

    def _decision(self, deployment: str, key: str) -> Decision | None:
        if self._around.links.approvals is None:
            raise HookUnavailableError("there is no store that a person's decision could be read from")
        try:
            return self._around.links.approvals().decision(deployment, key)
        except BluegreenError as error:
            raise HookUnavailableError(f"decisions cannot be read: {error.message}", hint=error.hint) from error

    def _decided(self, decision: Decision, since: float) -> Verdict:
        word = "approved" if decision.approved else "rejected"
        because = f": {decision.reason}" if decision.reason else ""
        text = self._say(f"{word} by {decision.by}{because}")
        numbers = {"seconds": max(0.0, decision.at - since)}
        return Passed(text, (), numbers) if decision.approved else Failed(text, (), numbers)

    def _silence(self, asked: dict[str, object]) -> Verdict:
        waited = float(str(asked["until"])) - float(str(asked["since"]))
        text = f"nobody answered within {took(waited)}"
        if self._settings.otherwise == "approve":
            return Passed(f"{text}, which counts as approval here", (), {"seconds": waited})
        return Failed(text, (), {"seconds": waited})

    def _say(self, text: str) -> str:
        return shortened(self._around.redactor().text(text))


def answerable_until(handle: str | None) -> float | None:
    """Epoch seconds; None for a question whose hook has not said it yet."""
    try:
        return float(str(_parsed(handle or "")["until"]))
    except HookLostError:
        return None


def _step(call: HookCall) -> int:
    try:
        return int(call.facts.get("step", "0"))
    except ValueError:
        return 0


def _parsed(handle: str) -> dict[str, object]:
    try:
        asked = json.loads(handle)
    except ValueError:
        asked = None
    if not isinstance(asked, dict) or not {"deployment", "key", "since", "until"} <= asked.keys():
        raise HookLostError("the handle is not an approval's")
    return asked
