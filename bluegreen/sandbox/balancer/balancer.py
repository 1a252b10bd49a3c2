"""The load balancer of one sandbox: reads what was asked for, makes Envoy serve it, tells what was seen."""

from __future__ import annotations

import http.client
import logging
import threading
from collections.abc import Sequence

from bluegreen.clock import Clock
from bluegreen.sandbox.balancer.alarms import AlarmClock
from bluegreen.sandbox.balancer.cloudwatch_backend import install
from bluegreen.sandbox.balancer.emulator import name_by_address, read_snapshot
from bluegreen.sandbox.balancer.health import HealthBoard
from bluegreen.sandbox.balancer.metrics import Meter
from bluegreen.sandbox.balancer.model import Snapshot, Target
from bluegreen.sandbox.balancer.prober import Prober
from bluegreen.sandbox.balancer.proxy import Proxy
from bluegreen.sandbox.balancer.resources import real_ports, resources_of
from bluegreen.sandbox.base import ListenerAddress, Nursery, Settings, TargetState

_log = logging.getLogger(__name__)
_TICK_SECONDS = 0.5
_DRAIN_TICK_SECONDS = 0.1
_READ_ATTEMPTS = 20


class EnvoyBalancer:
    """Thread-safe. ``reconcile`` calls that meet share one round."""

    def __init__(self, settings: Settings, nursery: Nursery, clock: Clock) -> None:
        self._settings = settings
        self._proxy = Proxy(settings, nursery, clock)
        self._board = HealthBoard(clock)
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._prober = Prober(self._board, clock, self._wake.set)
        self._meter = Meter(settings.region, clock)
        self._alarms = AlarmClock(settings.region, clock)
        self._round = threading.Lock()
        self._tickets = threading.Lock()
        self._asked = 0
        self._served = 0
        self._indexes: dict[str, int] = {}
        self._snapshot = Snapshot()
        self._thread = threading.Thread(target=self._keep, name="balancer", daemon=True)

    def start(self) -> None:
        install(self._settings.region)
        self._proxy.start()
        self._prober.start()
        self.reconcile()
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)
        self._prober.stop()
        self._proxy.stop()

    def reconcile(self) -> None:
        self._reconcile()
        if self._board.has_draining():
            self._wake.set()

    def target_health(self, target_group_arn: str) -> Sequence[TargetState]:
        return self._board.states(target_group_arn)

    def is_draining(self, target_group_arn: str, address: str, port: int) -> bool:
        return self._board.is_draining(target_group_arn, Target(address, port))

    def listeners(self) -> Sequence[ListenerAddress]:
        return [
            ListenerAddress(balancer.name, listener.port, f"http://{self._address(balancer.arn)}:{served}")
            for balancer in self._snapshot.load_balancers
            for ports in (real_ports(balancer),)
            for listener in balancer.listeners
            for served in (ports[listener.port],)
        ]

    def _reconcile(self) -> None:
        ticket = self._take_ticket()
        with self._round:
            if self._served >= ticket:
                return
            covers = self._asked
            self._serve_now()
            self._served = covers

    def _take_ticket(self) -> int:
        with self._tickets:
            self._asked += 1
            return self._asked

    def _serve_now(self) -> None:
        snapshot = self._read()
        self._allot_addresses(snapshot)
        self._board.sync(snapshot)
        self._prober.follow(self._board.watches())
        self._snapshot = snapshot
        self._proxy.publish(resources_of(snapshot, self._board.endpoints(), self._address, self._proxy.source))

    def _read(self) -> Snapshot:
        """The backend belongs to the API's threads, which may change a dict while it is read."""
        for _ in range(_READ_ATTEMPTS):
            try:
                return read_snapshot(self._settings.region)
            except (RuntimeError, KeyError):
                continue
        return self._snapshot

    def _allot_addresses(self, snapshot: Snapshot) -> None:
        present = [balancer.arn for balancer in snapshot.load_balancers]
        self._indexes = {arn: index for arn, index in self._indexes.items() if arn in present}
        for arn in present:
            if arn not in self._indexes:
                taken = set(self._indexes.values())
                self._indexes[arn] = next(index for index in range(len(present)) if index not in taken)
                name_by_address(self._settings.region, arn, self._address(arn))

    def _address(self, load_balancer: str) -> str:
        return self._settings.load_balancer_address(self._indexes[load_balancer])

    def _keep(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait(_DRAIN_TICK_SECONDS if self._board.has_draining() else _TICK_SECONDS)
            self._wake.clear()
            if self._stopping.is_set():
                return
            try:
                self._tend()
            except (OSError, http.client.HTTPException):
                _log.exception("the load balancer's housekeeping could not reach Envoy; it tries again")
            except Exception:
                _log.exception("the load balancer's housekeeping failed; it goes on")

    def _tend(self) -> None:
        with self._round:
            self._proxy.revive()
        if self._board.has_draining():
            self._board.settle_drains(self._proxy.in_flight())
        self._reconcile()
        self._meter.tick(self._proxy, self._snapshot, self._board.counts())
        self._alarms.tick()
