"""What a deployment takes beyond its configured waits, its tasks' own start and the draining."""

from __future__ import annotations

from bluegreen.domain.events import Event, Kind
from scripts.benchmarks.figures import Ended, Result, Table, run, spread
from scripts.benchmarks.place import BIN, a_team, newest_events
from tests.sandbox.team import Team

TARGET = 1.0
ROUNDS = 4
CANARY, BAKE, SETTLE, HEALTH_SETTLE = 2.0, 2.0, 1.0, 1.0
WAITS = HEALTH_SETTLE + SETTLE + CANARY + max(BAKE, SETTLE)
"""Green stays healthy; the test route settles; the canary; the bake, during which the split settles too."""

PARTS = ("whole command", "configured waits", "tasks start, until healthy", "blue drains", "beyond these")
BEYOND = (
    "of that: from the prompt to the launch",
    "of that: between the steps",
    "of that: from the last event to the end",
)


def measure(rounds: int = ROUNDS) -> Result:
    samples: list[dict[str, float]] = []
    with a_team(DeregistrationDelay="2") as team:
        team.configure(
            shift={"canary": {"percent": 5, "wait": f"{CANARY:g}s"}},
            bake={"time": f"{BAKE:g}s"},
            health={"percent": 100, "settle": f"{HEALTH_SETTLE:g}s"},
            settle=f"{SETTLE:g}s",
        )
        for number in range(rounds + 1):
            sample = _deploy(team, f"registry.example/orders:3.0.{number}")
            samples += [sample] if number else []
    return {"parts": {part: spread([sample[part] for sample in samples]) for part in (*PARTS, *BEYOND)}}


def tables(result: Result) -> list[Table]:
    rows = [
        (part, *(f"{each[key]:.2f} s" for key in ("median", "min", "max"))) for part, each in result["parts"].items()
    ]
    beyond = result["parts"]["beyond these"]["median"]
    verdict = "so it holds" if beyond <= TARGET else "**missed**"
    return [
        Table(
            "A deployment beyond its waits",
            ("part", "median", "least", "most"),
            rows,
            f"Target: at most {TARGET:g} s in all; it is {beyond:.2f} s: {verdict}. "
            f"{result['parts']['beyond these']['n']} deployments with a canary ({CANARY:g} s), a bake ({BAKE:g} s) and "
            "settle times (1 s each). The tasks' start is from the launch event to the event that says "
            "healthy, the draining from the scaling in to the last event: both include the time until bluegreen looks "
            "again, at most a tenth of the time that passed (at least 0.1 s and 0.2 s).",
        )
    ]


# Private


def _deploy(team: Team, image: str) -> dict[str, float]:
    ended = run([str(BIN / "bluegreen"), "deploy", "--image", image], team.environment(), team.root)
    if ended.code != 0:
        raise RuntimeError(f"the deployment ended with {ended.code}\n{ended.out}\n{ended.err}")
    return _parts(ended, newest_events(team))


def _parts(ended: Ended, events: list[Event]) -> dict[str, float]:
    def at(kind: Kind) -> float:
        return next(float(event.at) for event in events if event.kind is kind)

    starts = at(Kind.HEALTH) - at(Kind.LAUNCHED)
    drains = at(Kind.SUCCEEDED) - at(Kind.SCALED)
    beyond = ended.wall - WAITS - starts - drains
    before = at(Kind.LAUNCHED) - (ended.ended_at - ended.wall)
    after = ended.ended_at - at(Kind.SUCCEEDED)
    parts = (ended.wall, WAITS, starts, drains, beyond, before, beyond - before - after, after)
    return dict(zip((*PARTS, *BEYOND), parts, strict=True))
