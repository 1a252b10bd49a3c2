"""Where records live, as ``--store`` and BLUEGREEN_STORE name it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from bluegreen.errors import UsageError

FORMS = "sqlite:///relative/file.db, sqlite:////absolute/file.db, dynamodb://TABLE or dynamodb://TABLE?region=eu-west-1"


@dataclass(frozen=True, slots=True)
class SqliteLocation:
    path: Path

    def __str__(self) -> str:
        return f"sqlite:///{self.path}"


@dataclass(frozen=True, slots=True)
class DynamoLocation:
    """``region`` is None where the URL names none: the configuration's, or the environment's."""

    table: str
    region: str | None = None

    def __str__(self) -> str:
        return f"dynamodb://{self.table}" + (f"?region={self.region}" if self.region else "")


def parse(url: str) -> SqliteLocation | DynamoLocation:
    """Raises UsageError naming the forms that exist."""
    parts = _split(url)
    if parts.scheme == "sqlite":
        if parts.netloc or parts.query or parts.fragment or not parts.path.strip("/"):
            raise _bad(url, "a file's path follows three slashes")
        return SqliteLocation(Path(unquote(parts.path[1:])))
    if parts.scheme == "dynamodb":
        return _dynamo(url, parts.netloc, parts.path, parts.query)
    raise _bad(url, "it starts with neither sqlite:// nor dynamodb://")


# -- private


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise _bad(url, str(error)) from error


def _dynamo(url: str, table: str, path: str, query: str) -> DynamoLocation:
    if path.strip("/") or not re.fullmatch(r"[A-Za-z0-9_.-]{3,255}", table):
        raise _bad(url, "a table's name has 3 to 255 letters, digits, dots, dashes and underscores")
    options = parse_qs(query, keep_blank_values=True)
    region = options.pop("region", [None])[-1]
    if options or region == "":
        raise _bad(url, "the one option is region")
    return DynamoLocation(table, region)


def _bad(url: str, why: str) -> UsageError:
    return UsageError(f"{url!r} is not a state store: {why}", hint=f"--store takes {FORMS}")
