"""The kinds of value a configuration holds beyond plain text. A message here never repeats what was given:
``explain`` adds the written text, so that nothing that came from the environment is shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, WithJsonSchema
from pydantic_core import PydanticCustomError

from bluegreen.config.variables import Expanded
from bluegreen.domain.split import Split

MUST_BE = "must_be"
"""The error type of a message that goes on with what was given: "must be a number, not 'x'"."""
SAID = "said"
"""The error type of a message that says everything."""

LONGEST = 366 * 86400.0
_DURATION = re.compile(
    r"(?:([0-9]+(?:\.[0-9]+)?)d)?(?:([0-9]+(?:\.[0-9]+)?)h)?(?:([0-9]+(?:\.[0-9]+)?)m)?(?:([0-9]+(?:\.[0-9]+)?)s)?(?:([0-9]+)ms)?"
)
_UNITS = (86400.0, 3600.0, 60.0, 1.0, 0.001)
_DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?d)?([0-9]+(\.[0-9]+)?h)?([0-9]+(\.[0-9]+)?m)?([0-9]+(\.[0-9]+)?s)?([0-9]+ms)?$"
VARIABLE_SCHEMA = {"type": "string", "pattern": r"\$\{"}
_EXAMPLES = "as in 30s, 5m, 1h30m, 500ms or 2d"


class Part(BaseModel):
    """The base of every model here: nothing unknown, nothing converted in silence; built when it is first used."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, defer_build=True)


def must_be(what: str) -> PydanticCustomError:
    return PydanticCustomError(MUST_BE, "{what}", {"what": f"must be {what}"})


def said(text: str) -> PydanticCustomError:
    return PydanticCustomError(SAID, "{text}", {"text": text})


def seconds_of(text: str) -> float | None:
    """Seconds of ``1h30m`` and the like, largest unit first; None for what is no duration."""
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        return None
    parts = zip(found.groups(), _UNITS, strict=True)
    return round(sum(float(count) * unit for count, unit in parts if count is not None), 6)


def duration_text(seconds: float) -> str:
    """The shortest way to write it: 5400.0 is ``1h30m``."""
    left, text = round(seconds * 1000), ""
    for unit, name in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")):
        count, left = divmod(left, unit)
        text += f"{count}{name}" if count else ""
    return text or "0s"


def _duration(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise said(_no_unit(value))
    seconds = seconds_of(value) if isinstance(value, str) else None
    if seconds is None:
        raise must_be(f"a duration with a unit, {_EXAMPLES}")
    if seconds > LONGEST:
        raise must_be("at most 366d")
    return seconds


def _no_unit(value: float) -> str:
    if 0 < value <= LONGEST:
        return f"has no unit: write {value:g}s for seconds or {value:g}m for minutes"
    return f"must be a duration with a unit, {_EXAMPLES}"


def _positive(seconds: float) -> float:
    if seconds < 0.1:
        raise must_be("at least 100ms")
    return seconds


def _time_to_answer(value: object) -> float | None:
    return None if value == "never" else _duration(value)


def _percent(value: object) -> float:
    number = _number(value)
    if number is None:
        raise must_be("a number of per cent from 0 to 100, without a % sign, as in 5 or 0.5")
    try:
        Split.of_percent(number)
    except (ValueError, OverflowError):
        raise must_be("from 0 to 100 in steps of 0.1") from None
    return number


def _more_than_none(percent: float) -> float:
    if percent <= 0:
        raise must_be("more than 0 per cent")
    return percent


def _number(value: object) -> float | None:
    if isinstance(value, Expanded):
        return float(value) if re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e9 else None


def _whole(low: int, high: int) -> Callable[[object], int]:
    def checked(value: object) -> int:
        if isinstance(value, Expanded) and re.fullmatch(r"[0-9]{1,9}", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise must_be(f"a whole number from {low} to {high}")
        return value

    return checked


def whole(low: int, high: int) -> tuple[BeforeValidator, WithJsonSchema]:
    schema = {"anyOf": [{"type": "integer", "minimum": low, "maximum": high}, VARIABLE_SCHEMA]}
    return BeforeValidator(_whole(low, high)), WithJsonSchema(schema)


def matching(pattern: str, what: str) -> tuple[AfterValidator, WithJsonSchema]:
    """A text that ``pattern`` describes from end to end; ``what`` follows "must be"."""
    compiled = re.compile(pattern)

    def checked(text: str) -> str:
        if compiled.fullmatch(text) is None:
            raise must_be(what)
        return text

    return AfterValidator(checked), WithJsonSchema({"type": "string", "pattern": rf"^(?:{pattern})$|\$\{{"})


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _filled(texts: list[str]) -> list[str]:
    if not texts or not all(texts):
        raise said("needs at least one value, and none that is empty")
    return texts


def _no_control(text: str) -> str:
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise said("holds a control character or a line break")
    return text


_TIME_SCHEMA = {"type": "string", "pattern": rf"{_DURATION_PATTERN}|\$\{{", "examples": ["30s", "5m", "1h30m"]}
_NEVER_SCHEMA = {"anyOf": [_TIME_SCHEMA, {"const": "never"}]}
_PERCENT_SCHEMA = {"anyOf": [{"type": "number", "minimum": 0, "maximum": 100}, VARIABLE_SCHEMA]}
_MANY_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}

Line = Annotated[str, AfterValidator(_no_control)]
Time = Annotated[float, BeforeValidator(_duration), WithJsonSchema(_TIME_SCHEMA)]
PositiveTime = Annotated[float, AfterValidator(_positive), BeforeValidator(_duration), WithJsonSchema(_TIME_SCHEMA)]
TimeOrNever = Annotated[float | None, BeforeValidator(_time_to_answer), WithJsonSchema(_NEVER_SCHEMA)]
Percent = Annotated[float, BeforeValidator(_percent), WithJsonSchema(_PERCENT_SCHEMA)]
SomePercent = Annotated[
    float, AfterValidator(_more_than_none), BeforeValidator(_percent), WithJsonSchema(_PERCENT_SCHEMA)
]
OneOrMore = Annotated[list[Line], AfterValidator(_filled), BeforeValidator(_as_list), WithJsonSchema(_MANY_SCHEMA)]
