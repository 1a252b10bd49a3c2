"""Where a sandbox lives: its folder, which also tells whether it runs, and its address in 127.0.0.0/8.

The daemon keeps a lock on its folder for as long as it lives. The kernel lets go of it whatever ends the daemon, so
"is it running" needs no process id and no guess.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bluegreen.errors import LockedError, RefusedError, UsageError

DEFAULT_NAME = "default"
DEFAULT_PORT = 4566
STATE = "sandbox.json"
_SUBNETS = range(64, 250)
_PRIVILEGED = 1024
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")


def folder_of(name: str, root: Path) -> Path:
    """``root`` is the directory the command was run in. Raises UsageError for a name no folder should have."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for a sandbox", hint="use lower-case letters, digits and hyphens")
    return root / ".bluegreen" / "sandbox" / name


def store_url(name: str, root: Path) -> str:
    """The deployments' record of a sandbox's user. Beside the sandboxes' folder, so that it survives `down`."""
    return f"sqlite:///{(root / '.bluegreen' / f'{name}.sqlite').absolute()}"


def state_of(folder: Path) -> dict[str, Any] | None:
    """What the daemon wrote about itself (`ready` tells whether it serves yet), or None when none runs there."""
    if not is_locked(folder):
        return None
    try:
        state: dict[str, Any] = json.loads((folder / STATE).read_text())
    except (OSError, ValueError):
        return None
    return state


def is_locked(folder: Path) -> bool:
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the folder, empty at first and gone at the end. Raises LockedError when another daemon has it."""
    handle = _lock(folder)
    try:
        for old in folder.iterdir():
            shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def bind(folder: Path, port: int) -> tuple[socket.socket, int]:
    """A listening socket on 127.N.0.1 and N. The same folder gets the same N again whenever it is free.

    Raises RefusedError when no N is left for this port.
    """
    offset = zlib.crc32(str(folder.absolute()).encode()) % len(_SUBNETS)
    for step in range(len(_SUBNETS)):
        subnet = _SUBNETS[(offset + step) % len(_SUBNETS)]
        listening = _listening(f"127.{subnet}.0.1", port)
        if listening is not None:
            return listening, subnet
    raise RefusedError(
        f"port {port} is taken on every address from 127.{_SUBNETS[0]}.0.1 to 127.{_SUBNETS[-1]}.0.1",
        hint=f"end the program that listens on port {port} of all addresses, or choose another with --port",
    )


def served_on(port: int) -> int:
    """Where a listener's port is served: nobody should be root for a privileged one."""
    return port if port >= _PRIVILEGED else port + 9000


def remove_empty_parents(folder: Path) -> None:
    """`.bluegreen/sandbox` and `.bluegreen`, when nothing is in them any more."""
    for parent in (folder.parent, folder.parent.parent):
        try:
            parent.rmdir()
        except OSError:
            return


def _lock(folder: Path) -> int:
    while True:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue  # its last owner's helper removed it just now
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise LockedError(f"a sandbox is running or starting in {folder}") from error
        if _is_still(folder, handle):
            return handle
        os.close(handle)


def _is_still(folder: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.stat(folder), os.fstat(handle))
    except FileNotFoundError:
        return False


def _listening(address: str, port: int) -> socket.socket | None:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((address, port))
        listening.listen(1024)
    except OSError as error:
        listening.close()
        if error.errno != errno.EADDRINUSE:
            raise RefusedError(f"cannot listen on {address}:{port}: {error.strerror}") from error
        return None
    return listening
