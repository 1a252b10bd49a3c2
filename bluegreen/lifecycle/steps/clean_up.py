"""The end of a rollback, when the users are safe: what the deployment left is removed and put back."""

from __future__ import annotations

from bluegreen.domain.events import Kind
from bluegreen.domain.spec import HookPoint
from bluegreen.domain.split import ALL_BLUE
from bluegreen.errors import NotFoundError, RefusedError
from bluegreen.lifecycle.hooks.hooking import cancel_running, run_hooks
from bluegreen.lifecycle.outcome import Done, Outcome, Wait
from bluegreen.lifecycle.routes import late, routing
from bluegreen.lifecycle.steps.rollback import undo_late_splits
from bluegreen.lifecycle.steps.teardown import drained, retire
from bluegreen.lifecycle.undo import reverting, scaling
from bluegreen.lifecycle.work import Work


def clean_up(work: Work) -> Outcome:
    """Green is removed only when it gets no traffic and has settled; what the deployment changed is put back."""
    d = work.deployment
    facts = d.rollback
    assert facts is not None
    cancel_running(work)
    if d.retired_at is None and not late.is_quiet(facts, work.state.yielded, work.aws_now()):
        until = max(facts.other_until, facts.late_until)
        return Wait("the other driver may still start green's tasks; they are scaled in after that", 5.0, until)
    _put_test_route_back(work)
    until = routing.last_write_at(d) + d.spec.settle
    if work.now() < until:
        return Wait("the split settles before green is touched", until - work.now(), until)
    if d.retired_at is None:
        waiting = undo_late_splits(work)
        if waiting is not None:
            return waiting
        outcome = run_hooks(work, HookPoint.ON_ROLLBACK)
        if isinstance(outcome, Wait):
            return outcome
        if not isinstance(outcome, Done):
            work.publish(work.event(Kind.WARNING, f"during rollback: {outcome.reason}"))
        if work.deployment.launched:
            retire(work, d.green, "green")
    waiting = drained(work, d.green, "green") if work.deployment.launched else None
    if waiting is not None and not _waited_enough(work):
        return waiting
    scaling.put_back(work)
    reverting.say_what_stays(work)
    return Done()


# Private


def _waited_enough(work: Work) -> bool:
    """The users are safe: tasks that do not end, or that someone starts again, keep no deployment open for ever."""
    d = work.deployment
    return d.retired_at is not None and work.now() >= d.retired_at + d.spec.deadlines.teardown + d.spec.settle


def _put_test_route_back(work: Work) -> None:
    """It carries no users: one that somebody removed, or made unwritable, must not keep the rollback from ending."""
    try:
        routing.point_test_route(work, ALL_BLUE)
    except (NotFoundError, RefusedError) as error:
        said = f"the test route is not put back: {error.message}{f' ({error.hint})' if error.hint else ''}"
        work.record(work.event(Kind.WARNING, said), test_route=None)
