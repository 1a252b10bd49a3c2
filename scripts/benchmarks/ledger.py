"""Runs ``bluegreen`` in this process and keeps accounts of where its time goes; started by scripts/bench.

``ledger.py FILE BEGAN WORD…``: BEGAN is the monotonic time at which the parent started this process. FILE gets JSON,
``spent`` in seconds and ``ended``. Each second is counted once: an import made while a client is created is an import.
"""

from __future__ import annotations

import time

_HERE = time.monotonic()

import atexit  # noqa: E402
import builtins  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

OWN = "bluegreen's own code and output"
STORE = "store (SQLite): open, reads, writes"
IMPORTS = "imports: "


class Ledger:
    """Seconds by what they were spent on, each second once."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._open = [OWN]
        self._since = time.monotonic()

    @property
    def now(self) -> str:
        return self._open[-1]

    def enter(self, name: str) -> None:
        self._charge()
        self._open.append(name)

    def leave(self) -> None:
        self._charge()
        self._open.pop()

    def counted(self, name: Callable[..., str], function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.enter(name(*args))
            try:
                return function(*args, **kwargs)
            finally:
                self.leave()

        return wrapped

    def _charge(self) -> None:
        now = time.monotonic()
        self.spent[self.now] = self.spent.get(self.now, 0.0) + now - self._since
        self._since = now


class Watch:
    """Wraps the interpreter's import, and what is worth a line of its own once its module is there."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._import = builtins.__import__
        self._wanted = {
            "bluegreen.aws.calls": self._calls,
            "bluegreen.aws.clients": self._clients,
            "bluegreen.store.sqlite": self._store,
            "bluegreen.drivers.background": self._background,
        }

    def start(self) -> None:
        builtins.__import__ = self._counting

    def _counting(self, name: str, *args: Any, **named: Any) -> Any:
        """What a library imports in its turn is that library's."""
        foreign = self._ledger.now.startswith(IMPORTS) and self._ledger.now != f"{IMPORTS}bluegreen"
        if foreign or (len(args) > 3 and args[3]):
            return self._import(name, *args, **named)
        self._ledger.enter(IMPORTS + _origin(name))
        try:
            return self._import(name, *args, **named)
        finally:
            self._ledger.leave()
            self._wrap_new()

    def _wrap_new(self) -> None:
        for name in [name for name in self._wanted if _is_complete(name)]:
            self._wanted.pop(name)(sys.modules[name])

    def _calls(self, module: Any) -> None:
        send = module.Calls._send
        module.Calls._send = self._ledger.counted(lambda _, method, *__: f"API: {_operation(method)}", send)

    def _clients(self, module: Any) -> None:
        make = module.Clients._create
        module.Clients._create = self._ledger.counted(lambda _, service, *__: f"create the {service} client", make)
        session = module._session
        module._session = self._ledger.counted(lambda *_: "botocore session (configuration files)", session)

    def _store(self, module: Any) -> None:
        kind = module.SqliteStore
        for name in [name for name in dir(kind) if not name.startswith("_")]:
            method = getattr(kind, name)
            if callable(method):
                setattr(kind, name, self._ledger.counted(lambda *_: STORE, method))

    def _background(self, module: Any) -> None:
        start = module.finish_in_the_background
        module.finish_in_the_background = self._ledger.counted(lambda *_: "start the process that cleans up", start)


def main() -> None:
    target, began, words = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
    ledger = Ledger()
    ledger.spent["interpreter: start"] = _HERE - began

    @atexit.register
    def _write() -> None:
        ledger.enter("")
        target.write_text(json.dumps({"spent": ledger.spent, "ended": time.monotonic()}), encoding="utf-8")

    Watch(ledger).start()
    sys.argv = ["bluegreen", *words]
    from bluegreen.cli.main import main as bluegreen

    bluegreen()


# Private


def _origin(name: str) -> str:
    top = name.partition(".")[0]
    if top in ("botocore", "urllib3", "jmespath"):
        return "botocore and what it needs"
    return top if top in ("bluegreen", "click", "yaml", "msgspec", "transitions") else "other"


def _is_complete(name: str) -> bool:
    module = sys.modules.get(name)
    return module is not None and not getattr(module.__spec__, "_initializing", False)


def _operation(method: Any) -> str:
    from bluegreen.aws.calls import operation_of

    return operation_of(method).replace("elasticloadbalancing", "elbv2")


if __name__ == "__main__":
    main()
