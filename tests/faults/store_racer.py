"""One process of a race for a store: ``python -m tests.faults.store_racer STORE TABLE ROLE NAME COUNT``.

STORE is a file's path or a server's URL. Prints one JSON line for each thing it did, flushed: the test reads them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bluegreen.domain.deployment import Deployment
from bluegreen.domain.service import Owner
from bluegreen.errors import LockedError, PreemptedError
from bluegreen.store.base import StateStore
from bluegreen.store.sqlite import SqliteStore
from tests.contract.store_support import NOW, a_client, an_event

SERVICE = "orders"


def open_store(place: str, table: str) -> StateStore:
    if place.startswith("http://"):
        from bluegreen.store.dynamodb import DynamoStore

        return DynamoStore(a_client(place), table)
    return SqliteStore(Path(place), busy_seconds=30.0)


def acquire(store: StateStore, name: str, count: int) -> None:
    """Ask ``count`` times for a lease that never expires."""
    for _ in range(count):
        try:
            say(token=store.acquire(SERVICE, owner(name), now=NOW, seconds=1e6).token)
        except LockedError:
            say(token=None)


def preempt(store: StateStore, name: str, count: int) -> None:
    """Take the service over ``count`` times and save once each time, unless it is lost again before that."""
    for turn in range(count):
        lease, before = store.preempt(SERVICE, owner(name), now=NOW)
        say(token=lease.token, ended=before.lease.token if before.lease else None)
        event = an_event(f"{name} {turn}")
        try:
            seen = store.load("d-1")
            saved = store.save(replace(seen, step=seen.step + 1, started_by=f"{name} {turn}"), lease, [event])
            say(saved=saved.version, event=event.message, token=lease.token)
        except PreemptedError:
            say(lost=event.message)
        except LockedError:
            say(stale=event.message)


def save(store: StateStore, name: str, count: int) -> None:
    """Save as fast as it goes, each with an event that bears the version it makes."""
    lease, _ = store.preempt(SERVICE, owner(name), now=NOW)
    deployment: Deployment = store.load("d-1")
    for _ in range(count):
        event = an_event(str(deployment.version + 1))
        deployment = store.save(replace(deployment, step=deployment.version + 1), lease, [event, event])
        say(saved=deployment.version)


def owner(name: str) -> Owner:
    return Owner(name, "host", 1, "race")


def say(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


ROLES: dict[str, Callable[[StateStore, str, int], None]] = {"acquire": acquire, "preempt": preempt, "save": save}


def main(place: str, table: str, role: str, name: str, count: str) -> None:
    store = open_store(place, table)
    say(ready=name)
    sys.stdin.readline()
    ROLES[role](store, name, int(count))


if __name__ == "__main__":
    main(*sys.argv[1:])
