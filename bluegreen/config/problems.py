"""What is wrong with a configuration, with its place. Nothing here shows an expanded value."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bluegreen.errors import ConfigurationError

Path = tuple[str | int, ...]

_BARE_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where in the file, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """``text`` states what is wrong and how to put it right; ``path`` leads to the key, () for the whole file.

    ``certain``: whatever the variables there may hold.
    """

    path: Path
    text: str
    place: Place | None = None
    certain: bool = False

    def line(self, file: str) -> str:
        where = f"{file}:{self.place.line}:{self.place.column}" if self.place else file
        return f"{where}: {dotted(self.path)}: {self.text}" if self.path else f"{where}: {self.text}"


def dotted(path: Path) -> str:
    """``hooks.test[1].http.status``; a key that is not a plain word is quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        text += ("." if text else "") + (part if _BARE_KEY.fullmatch(part) else _quoted(part))
    return text


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name most like ``name`` as a question, and all of them where none is near."""
    import difflib  # here, because a rollback reads its configuration through this module and is timed

    names = sorted(known)
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    return f"known here: {', '.join(names)}" if names else "no key is known here"


def refuse(file: str, problems: Iterable[Problem]) -> ConfigurationError:
    """The error that carries every problem, in the file's order."""
    unique = list(dict.fromkeys(problems))
    ordered = sorted(unique, key=lambda problem: problem.place or Place(0, 0))
    lines = tuple(problem.line(file) for problem in ordered)
    count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    return ConfigurationError(
        f"{file} has {count}",
        problems=lines,
        hint="bluegreen schema prints the JSON Schema; configs/reference.yaml explains every key",
    )


# Private


def _quoted(key: str) -> str:
    short = key if len(key) <= 60 else key[:57] + "..."
    return '"' + short.encode("unicode_escape").decode().replace('"', '\\"') + '"'
