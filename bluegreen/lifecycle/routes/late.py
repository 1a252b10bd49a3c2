"""How late a write may still take effect: the rules behind the word SAFE (docs/decisions/rollback-protocol.md). Pure.

A load balancer has no conditional write. So a split is announced in the record, under the fencing token, before it is
written: a record that announces nothing proves that no split is on its way, whatever has become of its driver.
"""

from __future__ import annotations

from dataclasses import replace

from bluegreen.domain.deployment import Deployment, Phase, RollbackFacts
from bluegreen.domain.service import Lease

SIGNATURE_SECONDS = 300.0
"""AWS refuses a Signature Version 4 request that is older than five minutes by AWS's clock (IAM guide, signing). A
driver sends nothing that it signs after its lease's end, so it has no write in flight longer than this after it."""

AHEAD_SECONDS = 300.0
"""AWS accepts a signer's clock that is up to five minutes ahead of its own."""


def is_announced(d: Deployment) -> bool:
    """A split was to be written and nobody read it back: its driver may have ended in the middle of the write."""
    return any(route.written is not None and not route.written.confirmed for route in d.routes)


def harms_blue(d: Deployment) -> bool:
    """What may be on its way can take traffic from blue, or blue's tasks: a split, or the scaling in of blue."""
    return is_announced(d) or (d.phase is Phase.TEARDOWN and d.retired_at is None)


def unanswered(now: float) -> float:
    """When a write is dead that was signed before ``now``, whatever its signer's clock."""
    return now + SIGNATURE_SECONDS + AHEAD_SECONDS


def after_takeover(d: Deployment, ended: Lease | None, *, dead: bool, now: float) -> float:
    """``late_until`` of a deployment whose new driver ended this lease; None: it had been given back.

    A driver that never took the deployment up (``driver`` is another) left the one before it unaccounted for.
    """
    if ended is None:
        return max(d.late_until, unanswered(now)) if is_announced(d) else d.late_until
    known = ended.token == d.driver
    if not harms_blue(d) or (dead and known):
        return d.late_until
    return max(d.late_until, ended.expires_at + SIGNATURE_SECONDS if known else unanswered(max(now, ended.expires_at)))


def still_dangerous(d: Deployment, ended: Lease | None, *, yielded: int, dead: bool, now: float) -> Lease | None:
    """The lease that a rollback ended, while a write of its driver may still arrive.

    A process that is known to be dead may have died with its request on the way.
    """
    if ended is None or yielded == ended.token or now > unanswered(ended.expires_at):
        return None
    return None if dead and not harms_blue(d) else ended


def turned_back(d: Deployment, facts: RollbackFacts, now: float) -> RollbackFacts:
    """The facts of the rollback that ``d`` begins now, with what earlier drivers left behind."""
    late = d.late_until
    if facts.other_token == 0 and is_announced(d):
        late = max(late, unanswered(now))
    if facts.other_token not in (0, d.driver) and harms_blue(d):
        late = max(late, facts.other_until + AHEAD_SECONDS)
    expected = harms_blue(d) or late > now - AHEAD_SECONDS
    return replace(facts, from_phase=d.phase, late_until=late, in_flight=expected)


def joined(known: RollbackFacts, second: RollbackFacts) -> RollbackFacts:
    """A second rollback joins the first. The driver it ended was rolling back: it writes nothing but blue."""
    return replace(known, forced=known.forced or second.forced)


def is_safe(facts: RollbackFacts, yielded: int, aws_now: float) -> bool:
    """No write of an earlier driver can take blue's traffic any more. ``aws_now`` has passed on AWS's clocks."""
    return is_quiet(facts, yielded, aws_now) or (not facts.in_flight and aws_now > facts.late_until)


def is_quiet(facts: RollbackFacts, yielded: int, aws_now: float) -> bool:
    """No call of an earlier driver can take effect any more, of whatever kind.

    Another token's word does not count: that this rollback's own first process stopped says nothing of the others.
    """
    has_its_word = facts.other_token in (0, yielded)
    return aws_now > facts.late_until and (has_its_word or aws_now > facts.other_until)
