"""The log a person is pointed to when something failed: one private file for each command that reaches AWS.

It holds every AWS call's operation, code and request id, and tracebacks; it is created at the first line.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

from bluegreen.cli.app import App
from bluegreen.errors import AwsError, BluegreenError

if TYPE_CHECKING:
    from bluegreen.redact import Redactor

KEPT = 50
"""Files; the oldest go when another is created."""

FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s"
_LOGGER = "bluegreen"


def keep_log(app: App, command: str) -> PrivateLog:
    """Send the package's log to this command's file, and to stderr with ``--debug``."""
    logger = logging.getLogger(_LOGGER)
    for known in logger.handlers:
        if isinstance(known, PrivateLog) and known.app is app:
            return known
    _forget(logger)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(app.clock.now()))
    log = PrivateLog(app, log_folder(app) / f"{stamp}-{command.replace(' ', '-')}-{os.getpid()}.log")
    handlers: list[logging.Handler] = [log, *([logging.StreamHandler(sys.stderr)] if app.debug else [])]
    for handler in handlers:
        handler.setFormatter(_Clean(app))
        logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    return log


def log_folder(app: App) -> Path:
    from bluegreen.wiring import state_folder

    return state_folder(app.environment) / "logs"


def log_error(app: App, error: BluegreenError) -> Path | None:
    """Note an error that ends the command; answers the file, None when it could not be written."""
    log = keep_log(app, "command")
    logger = logging.getLogger(_LOGGER)
    if isinstance(error, AwsError):
        logger.error("operation=%s code=%s request_id=%s", error.operation, error.code, error.request_id)
    logger.error("%s: %s", type(error).__name__, error.message, exc_info=error if app.debug else None)
    return log.written


def log_crash(app: App, error: Exception) -> Path | None:
    log = keep_log(app, "command")
    logging.getLogger(_LOGGER).critical("%s", _traceback(error))
    return log.written


class PrivateLog(logging.FileHandler):
    """Mode 0600 in a folder of mode 0700; a disk that is full or read-only never stops a deployment."""

    def __init__(self, app: App, path: Path) -> None:
        super().__init__(path, encoding="utf-8", delay=True)
        self.app = app
        self.written: Path | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            super().emit(record)
        except OSError:
            logging.getLogger(_LOGGER).removeHandler(self)

    def handleError(self, record: logging.LogRecord) -> None:
        logging.getLogger(_LOGGER).removeHandler(self)

    def _open(self) -> TextIOWrapper:
        wanted = Path(self.baseFilename)
        try:
            stream = _private(wanted)
        except OSError:
            wanted = Path(tempfile.mkdtemp(prefix="bluegreen-")) / wanted.name
            stream = _private(wanted)
        self.written = wanted
        return stream


# Private


def _private(path: Path) -> TextIOWrapper:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for old in sorted(path.parent.glob("*.log"))[: -(KEPT - 1)]:
        old.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return os.fdopen(descriptor, "a", encoding="utf-8", buffering=1)


class _Clean(logging.Formatter):
    """No line leaves with a secret of the environment in it, tracebacks and ``--debug`` included."""

    def __init__(self, app: App) -> None:
        super().__init__(FORMAT, "%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime
        self._app = app
        self._redactor: Redactor | None = None

    def format(self, record: logging.LogRecord) -> str:
        from bluegreen.redact import Redactor, secrets_of

        self._redactor = self._redactor or Redactor(secrets_of(self._app.environment))
        return self._redactor.text(super().format(record))


def _forget(logger: logging.Logger) -> None:
    """The handlers of an earlier command in the same process (tests run many)."""
    for handler in list(logger.handlers):
        if isinstance(handler, logging.StreamHandler):
            logger.removeHandler(handler)
            if isinstance(handler, PrivateLog):
                handler.close()


def _traceback(error: Exception) -> str:
    import traceback

    return "".join(traceback.format_exception(error))
