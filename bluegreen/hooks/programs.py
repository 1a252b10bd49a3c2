"""What the kinds that run a program share: the program, its interpreter and its modules, looked for as it would be."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping
from importlib.machinery import PathFinder
from pathlib import Path

from bluegreen.errors import HookUnavailableError

CHILD = Path(__file__).with_name("child.py")
"""The inner side of what runs in a Python interpreter."""


def executable(name: str, env: Mapping[str, str], cwd: Path) -> str:
    """``name`` looked up as the process would: with a slash from ``cwd``, else on its own PATH."""
    if os.sep in name:
        place = cwd / name
        if not place.is_file():
            raise HookUnavailableError(f"{name} does not exist in {cwd}", hint="a path is relative to cwd")
        if not os.access(place, os.X_OK):
            raise HookUnavailableError(f"{place} is not executable", hint=f"chmod +x {place}")
        return str(place)
    found = shutil.which(name, path=env.get("PATH", os.defpath))
    if found is None:
        raise HookUnavailableError(f"there is no {name} on the PATH", hint=f"install {name}, or give its path")
    return found


def interpreter(asked: str | None, env: Mapping[str, str], cwd: Path) -> str:
    """Bluegreen's own where none is asked for."""
    return executable(asked, env, cwd) if asked else sys.executable


def is_importable(module: str, env: Mapping[str, str], cwd: Path) -> bool:
    """By bluegreen's own interpreter, started in ``cwd``. Imports nothing, so it looks for the first name alone."""
    top = module.partition(".")[0]
    folders = [str(cwd / folder) for folder in env.get("PYTHONPATH", "").split(os.pathsep) if folder]
    if PathFinder.find_spec(top, [str(cwd), *folders]) is not None:
        return True
    try:
        return importlib.util.find_spec(top) is not None
    except ValueError:  # it is loaded, and says not from where
        return True
