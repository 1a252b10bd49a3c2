"""The lease and write protocol as a model: every interleaving of drivers, crashes, delays, and clocks that differ.

A state is the store's contended item, the record, the load balancer, and what each process is about to do. A move is
one call of one process, the arrival of a request, a crash, or the passing of time; a process that makes no move
is a stopped one. What may be written, and when SAFE may be said, is decided by the code's own functions (``Rules``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from bluegreen.aws.calls import Calls
from bluegreen.clock import FakeClock
from bluegreen.domain.deployment import Phase, RollbackFacts
from bluegreen.domain.service import Lease, Owner, ServiceState
from bluegreen.drivers.holder import may_be_given_back
from bluegreen.errors import BluegreenError, LockedError, PreemptedError
from bluegreen.lifecycle.routes import late
from bluegreen.store import lease as store

LEASE = 150.0
UNIT = 150.0
"""Seconds: time passes in units. A lease lasts one, a signature two, and what nobody can vouch for four."""

PAST = -8 * UNIT
PASSES = "time passes"

BLUE, CANARY, GREEN = 0, 5, 100


class Written(NamedTuple):
    split: int
    confirmed: bool


class Route(NamedTuple):
    written: Written | None


class Record(NamedTuple):
    """What the rules read of a Deployment, under the same names."""

    phase: Phase = Phase.SHIFT
    routes: tuple[Route, ...] = (Route(None),)
    retired_at: float | None = None
    driver: int = 1
    late_until: float = PAST
    rollback: RollbackFacts | None = None

    @property
    def written(self) -> Written | None:
        return self.routes[0].written


class Request(NamedTuple):
    """A signed request on its way. ``what`` is a split, or ``retire``. ``token`` is its signer's.

    ``awaited``: its signer still waits for the answer. ``in_time``: its lease had not ended when it was signed.
    """

    what: object
    signed_at: float
    token: int
    awaited: bool = True
    in_time: bool = True


class Process(NamedTuple):
    """``at`` is the call it makes next; ``note`` is what it carries there."""

    name: str
    host: str
    ahead: float
    at: str
    lease: Lease | None = None
    note: object = None
    doubt: float = PAST
    crashed: bool = False
    timeouts: int = 0
    sure: bool = False


class State(NamedTuple):
    """All times are relative to now, by AWS's clock, and what is long past is PAST: the states are finite."""

    item: ServiceState
    record: Record
    route: int
    blue_up: bool
    requests: tuple[Request, ...]
    processes: tuple[Process, ...]


@dataclass(frozen=True)
class Rules:
    """The code's own decisions; a test of the test takes one of them away."""

    renew: Callable[[ServiceState, Lease, float, float], ServiceState] = store.renew
    release: Callable[[ServiceState, Lease], ServiceState] = store.release
    fence: Callable[[ServiceState, Lease], None] = store.fence
    may_send: Callable[[float, float], bool] = field(default_factory=lambda: may_send)
    still_dangerous: Callable[..., Lease | None] = late.still_dangerous
    after_takeover: Callable[..., float] = late.after_takeover
    turned_back: Callable[..., RollbackFacts] = late.turned_back
    is_announced: Callable[[Any], bool] = late.is_announced
    is_safe: Callable[[RollbackFacts, int, float], bool] = late.is_safe
    is_quiet: Callable[[RollbackFacts, int, float], bool] = late.is_quiet
    may_be_given_back: Callable[[Lease | None, str | None], bool] = may_be_given_back
    clock_of_aws: bool = True
    keeps_blue: bool = True
    keeps_its_word: bool = True
    doubts_a_read_back: bool = True


@dataclass(frozen=True)
class Story:
    """Who takes part, with what clock, and for how long. ``ahead`` is by how many seconds a process's clock is."""

    processes: tuple[Process, ...]
    crashes: int = 0
    timeouts: int = 0
    gates_fire: bool = False
    tears_down: bool = False
    start: Record = field(default_factory=lambda: Record())
    route: int = BLUE
    steps: tuple[int, ...] = (GREEN,)


@dataclass
class Explored:
    states: int
    broken: str | None = None
    trace: tuple[str, ...] = ()
    said_safe: int = 0
    ended: int = 0

    def told(self) -> str:
        return "\n".join((f"{self.states} states; {self.broken or 'no rule is broken'}", *self.trace))


def may_send(now: float, deadline: float) -> bool:
    """``Calls.check_before_send`` itself, asked by a write at ``now``."""
    calls, sent = Calls(FakeClock(now)), []

    def request() -> None:
        calls.check_before_send()
        sent.append(now)

    calls.write_only_before(deadline)
    try:
        calls.write(request)
    except PreemptedError:
        return False
    return bool(sent)


def driver(name: str, *, host: str = "a", ahead: float = 0.0) -> Process:
    """A ``deploy`` that holds the lease when the story begins."""
    return Process(name, host, ahead, "tick")


def resume(name: str, *, host: str = "b", ahead: float = 0.0) -> Process:
    """May be typed at any moment; also what a rollback leaves behind to clean up."""
    return Process(name, host, ahead, "acquire")


def rollback(name: str, *, host: str = "c", ahead: float = 0.0) -> Process:
    return Process(name, host, ahead, "preempt")


def deploy_again(name: str, *, host: str = "d", ahead: float = 0.0) -> Process:
    """A second ``deploy``, which looked before the first one began: it takes the lease, and then it is refused."""
    return Process(name, host, ahead, "acquire_anew")


def explore(story: Story, rules: Rules | None = None, limit: int = 2_000_000) -> Explored:
    """Breadth first, so that a trace is a shortest one. Stops at the first broken rule."""
    model = Model(story, rules or Rules())
    first = model.first()
    came_from: dict[State, tuple[State | None, str]] = {first: (None, "")}
    waiting = deque([first])
    explored = Explored(0)
    while waiting:
        state = waiting.popleft()
        explored.states += 1
        facts = state.record.rollback
        explored.said_safe += bool(facts and facts.safe_at is not None)
        explored.ended += state.record.phase.final
        explored.broken = broken_rule(state)
        if explored.broken or explored.states >= limit:
            explored.broken = explored.broken or f"more than {limit} states"
            explored.trace = _trace(came_from, state)
            return explored
        for said, following in model.moves(state):
            if following not in came_from:
                came_from[following] = (state, said)
                waiting.append(following)
    return explored


def broken_rule(state: State) -> str | None:
    """The invariants, of every state."""
    holders = [p.name for p in state.processes if p.lease and p.at != "end" and p.lease.token == state.item.token]
    facts = state.record.rollback
    if len(holders) > 1:
        return f"two drivers hold the newest token: {holders}"
    for request in state.requests:
        if not request.in_time:
            return "a driver signed a write after its lease had ended"
    if facts is not None and facts.safe_at is not None and state.route != BLUE:
        return "after SAFE there is traffic on green"
    if facts is not None and facts.safe_at is not None and not state.blue_up:
        return "after SAFE blue was scaled in"
    if state.record.phase is Phase.SUCCEEDED and state.route != GREEN:
        return "after success traffic went to the slot that was scaled in"
    return None


class Model:
    def __init__(self, story: Story, rules: Rules) -> None:
        self.story, self.rules = story, rules

    def first(self) -> State:
        item, processes = ServiceState("orders", active="d-1"), []
        for p in self.story.processes:
            if p.at == "tick":
                item = _plain(store.preempt(item, _owner(p), p.ahead, LEASE))
                p = p._replace(lease=item.lease)
            processes.append(p)
        return State(item, self.story.start, self.story.route, True, (), tuple(processes))

    def moves(self, s: State) -> Iterator[tuple[str, State]]:
        yield PASSES, _later(s)
        for request in dict.fromkeys(s.requests):
            answer = "" if request.awaited else ", whose signer gave it up"
            yield f"request {request.what} of token {request.token} arrives{answer}", self._arrive(s, request)
        crashes = sum(p.crashed for p in s.processes)
        for index, p in enumerate(s.processes):
            if p.at == "end":
                continue
            if p.lease is not None and crashes < self.story.crashes:
                yield f"{p.name} dies at {p.at}", _put(s, index, p._replace(at="end", crashed=True, note=None))
            for said, following in getattr(self, "_" + p.at)(s, index, p):
                yield f"{p.name} ({p.at}): {said}", following

    # -- the commands

    def _acquire(self, s: State, i: int, p: Process) -> Iterator[tuple[str, State]]:
        yield from self._takes(s, i, p, "take_up")

    def _acquire_anew(self, s: State, i: int, p: Process) -> Iterator[tuple[str, State]]:
        yield from self._takes(s, i, p, "refused")

    def _takes(self, s: State, i: int, p: Process, then: str) -> Iterator[tuple[str, State]]:
        if s.record.phase.final:
            return
        now, before = self._clock(s, p), s.item.lease
        dead = before is not None and self._known_dead(s, p, before)
        try:
            item = store.acquire(s.item, _owner(p), now, LEASE)
        except LockedError:
            if not dead:
                return
            item = store.preempt(s.item, _owner(p), now, LEASE)
        item = _plain(item)
        following = p._replace(at=then, lease=item.lease, note=(before, dead))
        yield f"takes token {item.token}", _put(s._replace(item=item), i, following)

    def _refused(self, s: State, i: int, p: Process) -> Iterator[tuple[str, State]]:
        assert isinstance(p.note, tuple)
        if self.rules.may_be_given_back(p.note[0], None if s.record.phase.final else s.item.active):
            yield "is refused, and gives the lease back", self._give_back(s, i, p)
        else:
            yield "is refused, and keeps the lease", _put(s, i, p._replace(at="end", note=None))

    def _take_up(self, s: State, i: int, p: Process) -> Iterator[tuple[str, State]]:
        assert isinstance(p.note, tuple)
        assert p.lease is not None
        before, dead = p.note
        until = self.rules.after_takeover(s.record, before, dead=dead, now=self._clock(s, p))
        record = s.record._replace(late_until=max(until, s.record.late_until), driver=p.lease.token)
        yield from self._saved(s, i, p, record, "tick", f"takes it up; late until {until:g}")

    def _preempt(self, s: State, i: int, p: Process) -> Iterator[tuple[str, State]]:
        if s.record.phase.final:
            return
        before = (s.item.lease, s.item.yielded)
        item = _plain(store.preempt(s.item, _owner(p), self._clock(s, p), LEASE))
        following = p._replace(at="turn_back", lease=item.lease, note=before)
        yield f"takes token {item.token}", _put(s._replace(item=item), i, following)

    def _turn_back(self, s: State, i: int, p: Process) -> Iterator[tuple[str, State]]:
        assert isinstance(p.note, tuple)
        if s.record.phase.final:
            yield "has just ended", self._give_back(s, i, p)
            return
        ended, yielded = p.note
        now, dead = self._clock(s, p), ended is not None and self._known_dead(s, p, ended)
        other = self.rules.still_dangerous(s.record, ended, yielded=yielded, dead=dead, now=now)
        facts = RollbackFacts(
            "",
            "",
            0.0,
            s.record.phase,
            other_token=other.token if other else 0,
            other_until=other.expires_at + late.SIGNATURE_SECONDS if other else PAST,
        )
        yield from self._saved(s, i, p, self._turned(s, p, facts), "tick", "turns back")

    # -- a tick

    def _tick(self, s: State, i: int, p: Process) -> Iterator[tuple[str, State]]:
        renewed = self._renewed(s, i, p)
        if renewed is None:
            yield "is pre-empted", self._stop(s, i, p)
            return
        s, p = renewed
        if s.record.phase.final:
            yield "sees the end", self._give_back(s, i, p)
        elif s.record.phase is Phase.SHIFT:
            yield from self._shift(s, i, p)
        elif s.record.phase is Phase.TEARDOWN:
            yield from self._tear_down(s, i, p)
        else:
            yield from self._roll_back(s, i, p)

    def _shift(self, s: State, i: int, p: Process) -> Iterator[tuple[str, State]]:
        if self.story.gates_fire:
            facts = RollbackFacts("", "", 0.0, Phase.SHIFT, other_until=PAST)
            yield from self._saved(s, i, p, self._turned(s, p, facts), "tick", "a gate fires")
        written = s.record.written
        done = written.split if written and written.confirmed else BLUE
        steps = [step for step in self.story.steps if step > done]
        if written and written.confirmed and s.route != written.split:
            yield "holds: drift", self._give_back(s, i, p)
        elif steps:
            until = late.unanswered(self._clock(s, p)) if self.rules.is_announced(s.record) else PAST
            announced = Route(Written(steps[0], False))
            record = s.record._replace(routes=(announced,), late_until=max(until, s.record.late_until))
            yield from self._saved(s, i, p, record, "read", f"announces {steps[0]}", note=steps[0])
        elif self.story.tears_down:
            yield from self._saved(s, i, p, s.record._replace(phase=Phase.TEARDOWN), "tick", "goes to teardown")

    def _tear_down(self, s: State, i: int, p: Process) -> Iterator[tuple[str, State]]:
        if s.record.retired_at is not None:
            yield from self._saved(s, i, p, s.record._replace(phase=Phase.SUCCEEDED), "tick", "succeeds")
        elif s.route != GREEN:
            yield "holds: drift", self._give_back(s, i, p)
        elif self._aws_now(s, p) > s.record.late_until:
            yield "will scale blue in", _put(s, i, p._replace(at="fence", note="retire"))

    def _roll_back(self, s: State, i: int, p: Process) -> Iterator[tuple[str, State]]:
        facts = s.record.rollback
        assert facts is not None
        if p.name.startswith("rollback") and facts.blue_at is not None:
            yield "leaves the rest to another process", self._give_back(s, i, p)
        if facts.safe_at is not None:
            if self.rules.is_quiet(facts, s.item.yielded, self._aws_now(s, p)):
                yield from self._saved(s, i, p, s.record._replace(phase=Phase.ROLLED_BACK), "tick", "cleans up")
        elif facts.blue_at is None:
            yield "looks", _put(s, i, p._replace(at="put_back", note=None))
        else:
            safe = self.rules.is_safe(facts, s.item.yielded, self._aws_now(s, p))
            yield f"asks whether it is safe: {safe}", _put(s, i, p._replace(at="verify", note=safe))

    def _put_back(self, s: State, i: int, p: Process) -> Iterator[tuple[str, State]]:
        facts = s.record.rollback
        assert facts is not None
        if not s.blue_up and s.route != BLUE:
            yield "launches blue again", _put(s._replace(blue_up=True), i, p._replace(at="tick"))
        elif s.route != BLUE:
            yield "sees green", _put(s, i, p._replace(at="fence", note=BLUE))
        else:
            record = s.record._replace(rollback=replace(facts, blue_at=0.0), routes=(Route(Written(BLUE, True)),))
            yield from self._saved(s, i, p, record, "tick", "all on blue")

    def _verify(self, s: State, i: int, p: Process) -> Iterator[tuple[str, State]]:
        facts = s.record.rollback
        assert facts is not None
        if facts.in_flight and s.route != BLUE:
            yield "undoes a late write", _put(s, i, p._replace(at="fence", note=BLUE))
        elif self.rules.keeps_blue and facts.from_phase is Phase.TEARDOWN and not s.blue_up:
            yield "launches blue again", _put(s._replace(blue_up=True), i, p._replace(at="tick", note=None))
        elif p.note:
            record = s.record._replace(rollback=replace(facts, safe_at=0.0))
            yield from self._saved(s, i, p, record, "tick", "says SAFE")
        else:
            yield "waits", _put(s, i, p._replace(at="tick", note=None))

    # -- a write: read, fence, sign, wait, read back

    def _read(self, s: State, i: int, p: Process) -> Iterator[tuple[str, State]]:
        """``sure``: what this process reads after its write can be nobody else's effect."""
        doubt = self._aws_now(s, p) <= s.record.late_until
        sure = not self._shows(s, p.note) and not doubt
        yield f"reads {s.route}", _put(s, i, p._replace(at="fence", sure=sure))

    def _fence(self, s: State, i: int, p: Process) -> Iterator[tuple[str, State]]:
        renewed = self._renewed(s, i, p)
        if renewed is None:
            yield "is pre-empted", self._stop(s, i, p)
            return
        s, p = renewed
        yield f"may write {p.note}", _put(s, i, p._replace(at="sign"))

    def _sign(self, s: State, i: int, p: Process) -> Iterator[tuple[str, State]]:
        assert p.lease is not None
        now = self._clock(s, p)
        if not self.rules.may_send(now, p.lease.expires_at):
            yield "its lease ended, so it sends nothing", self._stop(s, i, p)
            return
        request = Request(p.note, now, p.lease.token, in_time=now <= p.lease.expires_at)
        yield f"sends {p.note}", _put(_with(s, [*s.requests, request]), i, p._replace(at="await"))

    def _await(self, s: State, i: int, p: Process) -> Iterator[tuple[str, State]]:
        """Without an answer the read-back decides; what it does not show may still arrive."""
        assert p.lease is not None
        if sum(q.timeouts for q in s.processes) >= self.story.timeouts:
            return
        token, shows = p.lease.token, self._shows(s, p.note)
        p = p._replace(timeouts=p.timeouts + 1)
        s = _with(s, [r._replace(awaited=r.awaited and r.token != token) for r in s.requests])
        if shows and self.rules.doubts_a_read_back and p.note not in (BLUE, "retire") and not p.sure:
            record = s.record._replace(late_until=late.unanswered(self._clock(s, p)))
            yield from self._saved(s, i, p, record, "confirm", "times out, and reads what it or another wrote", p.note)
        elif shows:
            yield "times out, and reads what it wrote", _put(s, i, p._replace(at="confirm"))
        else:
            doubt = late.unanswered(self._clock(s, p))
            yield "times out", _put(s, i, p._replace(at="tick", note=None, doubt=doubt))

    def _confirm(self, s: State, i: int, p: Process) -> Iterator[tuple[str, State]]:
        record = s.record
        if p.note == "retire":
            record = record._replace(retired_at=0.0)
        elif p.note != BLUE:
            record = record._replace(routes=(Route(Written(int(str(p.note)), True)),))
        else:
            yield "reads back", _put(s, i, p._replace(at="tick", note=None))
            return
        yield from self._saved(s, i, p, record, "tick", f"confirms {p.note}")

    def _arrive(self, s: State, request: Request) -> State:
        """AWS carries it out, and answers the process that waits for it."""
        left = list(s.requests)
        left.remove(request)
        s = _with(s, left)
        s = s._replace(blue_up=False) if request.what == "retire" else s._replace(route=int(str(request.what)))
        for index, p in enumerate(s.processes):
            if request.awaited and p.at == "await" and p.lease and p.lease.token == request.token:
                return _put(s, index, p._replace(at="confirm"))
        return s

    # -- parts of moves

    def _turned(self, s: State, p: Process, facts: RollbackFacts) -> Record:
        assert p.lease is not None
        if s.record.phase is Phase.ROLLBACK:
            assert s.record.rollback is not None
            return s.record._replace(rollback=late.joined(s.record.rollback, facts), driver=p.lease.token)
        turned = self.rules.turned_back(s.record, facts, self._clock(s, p))
        return s.record._replace(phase=Phase.ROLLBACK, rollback=turned, driver=p.lease.token)

    def _renewed(self, s: State, i: int, p: Process) -> tuple[State, Process] | None:
        assert p.lease is not None
        try:
            item = _plain(self.rules.renew(s.item, p.lease, self._clock(s, p), LEASE))
        except BluegreenError:
            return None
        p = p._replace(lease=replace(p.lease, expires_at=self._clock(s, p) + LEASE))
        return _put(s._replace(item=item), i, p), p

    def _saved(
        self, s: State, i: int, p: Process, record: Record, then: str, said: str, note: object = None
    ) -> Iterator[tuple[str, State]]:
        assert p.lease is not None
        try:
            self.rules.fence(s.item, p.lease)
        except PreemptedError:
            yield "its save is refused", self._stop(s, i, p)
            return
        yield said, _put(s._replace(record=record), i, p._replace(at=then, note=note))

    def _stop(self, s: State, i: int, p: Process) -> State:
        assert p.lease is not None
        if self.rules.keeps_its_word and self._clock(s, p) < p.doubt:
            return _put(s, i, p._replace(at="end", note=None))
        return _put(s._replace(item=store.yield_token(s.item, p.lease.token)), i, p._replace(at="end", note=None))

    def _give_back(self, s: State, i: int, p: Process) -> State:
        assert p.lease is not None
        ended = p._replace(at="end", note=None)
        if self.rules.keeps_its_word and self._clock(s, p) < p.doubt:
            return _put(s, i, ended)
        return _put(s._replace(item=self.rules.release(s.item, p.lease)), i, ended)

    def _clock(self, s: State, p: Process) -> float:
        return p.ahead

    def _aws_now(self, s: State, p: Process) -> float:
        return 0.0 if self.rules.clock_of_aws else p.ahead

    def _known_dead(self, s: State, p: Process, lease: Lease) -> bool:
        return any(q.crashed and q.host == p.host and q.name == lease.owner.command for q in s.processes)

    @staticmethod
    def _shows(s: State, what: object) -> bool:
        return not s.blue_up if what == "retire" else s.route == what


# -- private


def _owner(p: Process) -> Owner:
    return Owner("ada", p.host, 1, p.name)


def _plain(item: ServiceState) -> ServiceState:
    """Without what only a person reads: it would make equal states look different."""
    return replace(item, lease=replace(item.lease, acquired_at=0.0) if item.lease else None, last_owner=None)


def _with(s: State, requests: list[Request]) -> State:
    return s._replace(requests=tuple(sorted(requests, key=repr)))


def _put(s: State, index: int, p: Process) -> State:
    if p.at in ("tick", "end"):
        p = p._replace(note=None, sure=False)
    if p.at == "end":
        p = p._replace(lease=None, doubt=PAST)
    return s._replace(processes=(*s.processes[:index], p, *s.processes[index + 1 :]))


def _later(s: State) -> State:
    item = replace(s.item, lease=_aged(s.item.lease))
    facts = s.record.rollback
    if facts is not None:
        facts = replace(facts, other_until=_ago(facts.other_until), late_until=_ago(facts.late_until))
    record = s.record._replace(late_until=_ago(s.record.late_until), rollback=facts)
    requests = [r._replace(signed_at=r.signed_at - UNIT) for r in s.requests]
    alive = [r for r in requests if r.signed_at + late.SIGNATURE_SECONDS >= 0.0]
    processes = tuple(p._replace(lease=_held(p), doubt=_ago(p.doubt), note=_aged_note(p.note)) for p in s.processes)
    return _with(s._replace(item=item, record=record, processes=processes), alive)


def _ago(time: float) -> float:
    return max(PAST, time - UNIT) if time - UNIT > -2 * UNIT else PAST


def _aged(lease: Lease | None) -> Lease | None:
    """Nobody compares a lease's end with a time that is further away than this."""
    if lease is None:
        return None
    end = lease.expires_at - UNIT
    return replace(lease, expires_at=end if end > -6 * UNIT else PAST)


def _held(p: Process) -> Lease | None:
    """Its own holder asks only whether it has ended."""
    return replace(p.lease, expires_at=max(-2 * UNIT, p.lease.expires_at - UNIT)) if p.lease else None


def _aged_note(note: object) -> object:
    return (_aged(note[0]), note[1]) if isinstance(note, tuple) else note


def _trace(came_from: dict[State, tuple[State | None, str]], state: State) -> tuple[str, ...]:
    said: list[str] = []
    at: State | None = state
    while at is not None:
        at, move = came_from[at]
        said.append(move)
    lines, now = [], 0.0
    for move in reversed(said[:-1]):
        now += UNIT if move == PASSES else 0.0
        lines.append(f"  {now:4g} s  {move}")
    return tuple(lines)
