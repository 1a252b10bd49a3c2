"""The last lines of what containers wrote."""

from __future__ import annotations

import os
from pathlib import Path

_LONGEST_TAIL = 1 << 20


def prefix(service: str | None, task_id: str, container: str) -> str:
    return f"{service or 'task'}/{task_id[:8]}/{container} | "


def tail(path: Path, lines: int) -> list[str]:
    """At most ``lines`` lines, and at most the last mebibyte; nothing for a file that is not there."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _LONGEST_TAIL))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return text.splitlines()[-lines:] if lines > 0 else []
