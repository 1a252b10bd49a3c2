"""Randomised races of two and three processes for one service: killed, stopped, continued, and answered late.

Whatever happened, a last ``resume`` must bring the service to an end, and no rule may have been broken on the way.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

from bluegreen.clock import SystemClock
from bluegreen.domain.deployment import Phase
from tests.faults.race_driver import Part, open_store, play
from tests.faults.race_world import RaceWorld

CLOCK = SystemClock()
LONGEST = 25.0
"""Seconds until a race's processes are killed and the last resume begins."""

LAST_RESUMES = 4
OTHERS = ("rollback", "rollback", "flip", "resume")


@dataclass
class Race:
    """How one race went. ``lost`` says what was wrong with it."""

    seed: int
    phase: str = ""
    kills: int = 0
    stops: int = 0
    writes: int = 0
    late_writes: int = 0
    said_safe: int = 0
    seconds: float = 0.0
    lost: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    def told(self) -> str:
        return "\n".join([f"seed {self.seed}: {'; '.join(self.lost)}", *self.log])


def run_races(seeds: Sequence[int], store: str, folder: Path, *, at_once: int = 4) -> list[Race]:
    """``store`` is DynamoDB Local's URL, with the table made, or a SQLite file."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.faults.race_driver"])
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda seed: _Run(seed, store, folder, context).run(), seeds))


# -- private


class _Run:
    def __init__(self, seed: int, store: str, folder: Path, context: ForkServerContext) -> None:
        self.race, self.chance = Race(seed), random.Random(seed)
        self.service = f"orders-{seed}-{os.getpid()}"
        self.world = RaceWorld(self.service, seed)
        self.store, self.folder, self.context = store, folder, context
        self.processes: list[ForkServerProcess] = []

    def run(self) -> Race:
        began = CLOCK.monotonic()
        try:
            self._race()
            self._converge()
            self._judge()
        finally:
            self._kill_all()
            self.world.close()
        self.race.seconds = CLOCK.monotonic() - began
        self.race.log = self.world.log
        return self.race

    def _race(self) -> None:
        self._start("deploy")
        self._wait_until(lambda: bool(self.world.began), 10.0)
        others = [self.chance.choice(OTHERS) for _ in range(self.chance.choice((1, 2, 2)))]
        acts = [(self.chance.uniform(0.0, 5.5), role) for role in others]
        acts += [(self.chance.uniform(0.1, 6.5), self.chance.choice(("kill", "stop"))) for _ in range(2)]
        began = CLOCK.monotonic()
        for at, act in sorted(acts):
            CLOCK.sleep(began + at - CLOCK.monotonic())
            self._act(act)
        self._wait_until(lambda: not any(process.is_alive() for process in self.processes), LONGEST)
        self._kill_all()

    def _wait_until(self, reached: Callable[[], bool], seconds: float) -> None:
        end = CLOCK.monotonic() + seconds
        while not reached() and CLOCK.monotonic() < end:
            CLOCK.sleep(0.05)

    def _act(self, act: str) -> None:
        if act not in ("kill", "stop"):
            self._start(act)
            return
        alive = [process for process in self.processes if process.is_alive()]
        if not alive:
            return
        process = self.chance.choice(alive)
        if act == "kill":
            self.race.kills += self._signal(process, signal.SIGKILL)
            return
        if self._signal(process, signal.SIGSTOP):
            self.race.stops += 1
            CLOCK.sleep(self.chance.choice((0.3, 1.5, 2.5)))
            self._signal(process, signal.SIGCONT)

    def _start(self, role: str) -> ForkServerProcess:
        name = f"{role}-{len(self.processes)}"
        part = Part(name, role, self.service, self.world.address, self.store, str(self.folder))
        process = self.context.Process(target=play, args=(part,), daemon=True)
        process.start()
        self.processes.append(process)
        return process

    def _signal(self, process: ForkServerProcess, number: signal.Signals) -> bool:
        self.world.note(process.name, number.name)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid or 0, number)
            return True
        return False

    def _kill_all(self) -> None:
        for process in self.processes:
            if process.is_alive():
                self._signal(process, signal.SIGKILL)
            process.join(10.0)

    def _converge(self) -> None:
        store = open_store(self.store)
        for _ in range(LAST_RESUMES):
            if store.service(self.service).active is None:
                break
            CLOCK.sleep(1.1)  # a killed driver's lease
            process = self._start("resume")
            process.join(LONGEST)
            self._kill_all()
        self._wait_until(self.world.is_still, 5.0)
        known = store.history(self.service, 1)
        self.race.phase = known[0].phase.value if known else "never began"
        if known and not known[0].ended:
            self.race.lost.append(f"it stands in {self.race.phase}: {known[0].hold or known[0].waiting}")

    def _judge(self) -> None:
        race, world = self.race, self.world
        race.writes, race.late_writes, race.said_safe = world.writes, world.late_writes, world.said_safe
        race.lost += world.broken
        live = world.stage.weights()
        services = world.stage.compute.services
        if len(live) != 1:
            race.lost.append(f"the route ends with {dict(live)}")
        counts = {name: service.desired for name, service in services.items()}
        if any(counts[name] != (2 if name in live else 0) for name in counts):
            race.lost.append(f"the services end with {counts} where the route has {dict(live)}")
        known = open_store(self.store).history(self.service, 1)
        wanted = known[0].green.name if known and known[0].phase is Phase.SUCCEEDED else None
        wanted = wanted or (known[0].blue.name if known else "orders-1")
        if list(live) != [wanted]:
            race.lost.append(f"{race.phase}, but live is {dict(live)}")
        race.lost += [file.read_text() for file in self.folder.glob(f"*-{self.service}.traceback")]
