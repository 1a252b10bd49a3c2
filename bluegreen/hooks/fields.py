"""The forms that settings are written in, shared by the kinds: durations, statuses, texts.

Imports pydantic, so nothing that a rollback needs imports it.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*")
_DURATION = re.compile(rf"(?:{_AMOUNT.pattern})+")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _seconds(written: object) -> object:
    if isinstance(written, str) and _DURATION.fullmatch(written.strip()):
        return sum(float(count) * _SECONDS[unit] for count, unit in _AMOUNT.findall(written))
    raise ValueError("a duration has a unit, as in 250ms, 30s, 5m or 1h")


def several(written: object) -> object:
    return written if isinstance(written, list | tuple) else [written]


def _status_range(written: object) -> tuple[int, int]:
    text = str(written).strip()
    matched = re.fullmatch(r"([1-5]\d\d)(?:-([1-5]\d\d))?", text)
    if not matched or isinstance(written, bool):
        raise ValueError("a status is a number or a range, as in 200 or 200-299")
    low, high = int(matched[1]), int(matched[2] or matched[1])
    if low > high:
        raise ValueError(f"the range {text} is the wrong way round")
    return low, high


def _text(written: object) -> object:
    """YAML reads ``port: 8080`` and ``version: 2.0`` as numbers; a process only knows text."""
    if isinstance(written, bool):
        return str(written).lower()
    return str(written) if isinstance(written, int | float) else written


Text = Annotated[str, BeforeValidator(_text)]
Duration = Annotated[
    float, BeforeValidator(_seconds, json_schema_input_type=str), Field(ge=0, examples=["250ms", "30s"])
]
StatusRange = Annotated[tuple[int, int], BeforeValidator(_status_range, json_schema_input_type=int | str)]
Statuses = Annotated[
    tuple[StatusRange, ...],
    BeforeValidator(several, json_schema_input_type=int | str | list[int | str]),
    Field(min_length=1),
]
Expressions = Annotated[tuple[str, ...], BeforeValidator(several, json_schema_input_type=str | list[str])]


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


class ProcessSettings(Settings):
    """What every kind that runs a process takes. ``cwd`` is relative to the configuration's folder."""

    cwd: str = Field(default=".", description="where it runs, relative to the configuration's folder")
    env: dict[str, Text] = Field(default_factory=dict, description="added to the environment")
    output_lines: int = Field(default=50, ge=0, le=1000, description="how many of the last lines are kept")
