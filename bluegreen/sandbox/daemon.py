"""The sandbox itself: one process with the API, the task scheduler and the load balancer's control.

`python -m bluegreen.sandbox.daemon` reads one JSON object from stdin and writes JSON lines to stdout:
`{"progress": TEXT}` while it starts, then `{"ready": STATUS}` or `{"failed": {message, hint, exit_code}}`.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bluegreen.clock import Clock, SystemClock
from bluegreen.errors import BluegreenError
from bluegreen.sandbox.base import Balancer, Nursery, Scheduler, Settings
from bluegreen.sandbox.place import STATE, bind, held

if TYPE_CHECKING:
    from bluegreen.sandbox.api.gateway import Gateway

_API_THREADS = 48
_OPEN_SECONDS = 10.0
_log = logging.getLogger(__name__)

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What `up` asks for. ``template`` is the text itself; ``patience`` seconds are given to become healthy."""

    name: str
    folder: Path
    region: str
    port: int
    template: str
    parameters: dict[str, str]
    patience: float

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Order:
        return cls(**{**content, "folder": Path(content["folder"])})

    def differences(self, asked: Mapping[str, Any]) -> list[str]:
        """What ``asked`` (of the keys of an order, those that somebody gave) wants otherwise."""
        from bluegreen.sandbox.stack import differences

        placed = [
            (f"its {key} is {getattr(self, key)}, not {asked[key]}", key) for key in ("region", "port") if key in asked
        ]
        others = [text for text, key in placed if asked[key] != getattr(self, key)]
        return [*others, *differences(self.template, self.parameters, asked)]

    def to_json(self) -> dict[str, Any]:
        fields = ("name", "region", "port", "template", "parameters", "patience")
        return {"folder": str(self.folder), **{field: getattr(self, field) for field in fields}}


def main() -> None:
    """The detached daemon."""
    stdout = os.fdopen(os.dup(1), "w", buffering=1)

    def say(event: dict[str, Any]) -> None:
        try:
            stdout.write(json.dumps(event, default=str) + "\n")
            stdout.flush()
        except OSError:
            _log.info("nobody listens any more")

    order = Order.from_json(json.loads(sys.stdin.read()))
    try:
        serve(order, say, log_to_folder=True)
    except BluegreenError as error:
        say({"failed": {"message": error.message, "hint": error.hint, "exit_code": error.exit_code}})
    except Exception as error:
        _log.exception("the sandbox failed")
        message = f"the sandbox failed: {type(error).__name__}: {error}"
        say({"failed": {"message": message, "hint": "this is a bug of bluegreen: please report it", "exit_code": 1}})


def serve(order: Order, say: Callable[[dict[str, Any]], None], *, log_to_folder: bool = False) -> None:
    """Run a sandbox until SIGTERM, SIGINT or /_sandbox/stop. Nothing is left when this returns or raises."""
    os.umask(0o077)
    _forget_aws_settings()
    ended = threading.Event()
    _on_signals(_give_up)
    with held(order.folder), ExitStack() as cleanup:
        if log_to_folder:
            _log_to(order.folder / "daemon.log")
        world = cleanup.enter_context(_world(order, ended.set, lambda text: say({"progress": text})))
        _on_signals(lambda *_: ended.set())
        say({"ready": world.status()})
        if log_to_folder:
            _let_go_of_stdout(order.folder / "daemon.log")
        ended.wait()


def _forget_aws_settings() -> None:
    """The emulator is built on the SDK, which looks for profiles and files: the user's are none of the sandbox's."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def _on_signals(handler: Callable[[int, Any], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, handler)


def _give_up(number: int, _: Any) -> None:
    _on_signals(lambda *_: None)  # once is enough: what follows is the clean-up
    raise BluegreenError(f"stopped by {signal.Signals(number).name} before it was ready")


@dataclass(frozen=True, slots=True)
class _World:
    settings: Settings
    scheduler: Scheduler
    balancer: Balancer

    def status(self) -> dict[str, Any]:
        from bluegreen.sandbox.status import describe

        return describe(self.settings, self.scheduler, self.balancer)


@contextmanager
def _world(order: Order, end: Callable[[], None], progress: Progress) -> Iterator[_World]:
    from bluegreen.sandbox.nursery import start_nursery

    clock = SystemClock()
    listening, subnet = bind(order.folder, order.port)
    settings = Settings(order.name, order.folder, order.region, subnet, order.port)
    with ExitStack() as cleanup:
        cleanup.callback(listening.close)
        _write_state(settings, ready=False)
        nursery = start_nursery(settings)
        cleanup.callback(nursery.stop)
        world = _rooms(settings, nursery, clock)
        cleanup.callback(world.balancer.stop)
        starting = _in_background(world.balancer.start)
        _open_api(world, order, nursery, listening, clock, end, cleanup)
        progress(f"API on http://{settings.api_address}:{settings.api_port}")
        starting()
        progress("load balancer started")
        world.scheduler.start()
        cleanup.callback(world.scheduler.stop)
        _furnish(world, order, clock, progress)
        _write_state(settings, ready=True)
        yield world


def _rooms(settings: Settings, nursery: Nursery, clock: Clock) -> _World:
    from bluegreen.sandbox.api.emulator import install_backends
    from bluegreen.sandbox.balancer import create_balancer
    from bluegreen.sandbox.scheduler import create_scheduler

    install_backends(settings.region)
    balancer = create_balancer(settings, nursery, clock)
    return _World(settings, create_scheduler(settings, balancer, nursery, clock), balancer)


def _open_api(
    world: _World,
    order: Order,
    nursery: Nursery,
    listening: Any,
    clock: Clock,
    end: Callable[[], None],
    cleanup: ExitStack,
) -> None:
    from waitress.server import create_server

    gateway = _gateway(world, order, nursery, clock, end)
    server = create_server(gateway, sockets=[listening], threads=_API_THREADS, ident=None, asyncore_use_poll=True)
    threading.Thread(target=server.run, name="api", daemon=True).start()
    cleanup.callback(server.close)


def _gateway(world: _World, order: Order, nursery: Nursery, clock: Clock, end: Callable[[], None]) -> Gateway:
    from bluegreen.sandbox.api.authorize import Policies
    from bluegreen.sandbox.api.calls import CallLog
    from bluegreen.sandbox.api.control import Control
    from bluegreen.sandbox.api.emulator import create_emulator
    from bluegreen.sandbox.api.faults import Faults
    from bluegreen.sandbox.api.gateway import Gateway
    from bluegreen.sandbox.api.lambda_functions import LambdaFunctions
    from bluegreen.sandbox.api.throttle import Throttles

    throttles, faults, policies, calls = Throttles(clock), Faults(), Policies(), CallLog(clock)
    control = Control(
        scheduler=world.scheduler,
        throttles=throttles,
        faults=faults,
        policies=policies,
        calls=calls,
        status=world.status,
        stop=end,
        differences=order.differences,
    )
    gateway = Gateway(
        emulator=create_emulator(world.scheduler, world.balancer),
        control=control,
        reconcile=world.balancer.reconcile,
        wake=world.scheduler.wake,
        throttles=throttles,
        faults=faults,
        policies=policies,
        calls=calls,
        clock=clock,
        functions=LambdaFunctions(world.settings, nursery, clock),
    )
    control.reset = gateway.forget
    return gateway


def _furnish(world: _World, order: Order, clock: Clock, progress: Progress) -> None:
    from bluegreen.sandbox import status
    from bluegreen.sandbox.readiness import wait_until_healthy, wait_until_open
    from bluegreen.sandbox.stack import create_stack

    for left_out in create_stack(order.region, order.name, order.template, order.parameters):
        progress(left_out)
    progress("stack created")
    world.balancer.reconcile()
    world.scheduler.wake()
    services = status.services(order.region)
    wait_until_open(world.balancer, clock, seconds=_OPEN_SECONDS)
    wait_until_healthy(services, world.scheduler, world.balancer, clock, seconds=order.patience, progress=progress)


def _in_background(work: Callable[[], None]) -> Callable[[], None]:
    """Start ``work`` in a thread; the answer waits for it and raises what it raised."""
    failure: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def wait() -> None:
        thread.join()
        if failure:
            raise failure[0]

    return wait


def _write_state(settings: Settings, *, ready: bool) -> None:
    """Whole or not at all: who reads it must never see half."""
    content = {
        "name": settings.name,
        "pid": os.getpid(),
        "endpoint": f"http://{settings.api_address}:{settings.api_port}",
        "region": settings.region,
        "ready": ready,
    }
    draft = settings.folder / f"{STATE}.draft"
    draft.write_text(json.dumps(content))
    draft.replace(settings.folder / STATE)


def _log_to(file: Path) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(handle, 2)
    os.close(handle)
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s"
    )


def _let_go_of_stdout(file: Path) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_APPEND)
    os.dup2(handle, 1)
    os.close(handle)


if __name__ == "__main__":
    main()
