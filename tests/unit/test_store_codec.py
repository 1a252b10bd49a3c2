"""Records of older schemas load, and a value that could not be read back is never written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from bluegreen.domain.deployment import Deployment
from bluegreen.errors import RecordError
from bluegreen.store import codec
from bluegreen.store.codec import Format
from tests.contract.store_support import a_deployment, a_full_deployment, an_event, known_good

SAMPLES = Path(__file__).with_name("records")


@dataclass(frozen=True)
class Thing:
    schema: int
    name: str
    size: float


def name_it(old: dict[str, Any]) -> dict[str, Any]:
    return {"name": old["title"]}


def size_it(old: dict[str, Any]) -> dict[str, Any]:
    return {**old, "size": 1.0}


THINGS: Format[Thing] = Format(Thing, 2, {0: name_it, 1: size_it})


def test_a_stored_record_of_schema_1_still_loads() -> None:
    raw = (SAMPLES / "deployment-schema-1.json").read_bytes()
    assert codec.decode_deployment(raw, "d-1") == a_full_deployment()


def test_an_older_record_passes_every_upgrade_in_turn() -> None:
    assert THINGS.decode(b'{"schema":0,"title":"a"}', "thing a") == Thing(2, "a", 1.0)
    assert THINGS.decode(b'{"schema":1,"name":"a"}', "thing a") == Thing(2, "a", 1.0)
    assert THINGS.decode(b'{"schema":2,"name":"a","size":3.5}', "thing a") == Thing(2, "a", 3.5)


def test_an_upgraded_record_is_checked_like_any_other() -> None:
    with pytest.raises(RecordError, match=r"thing a cannot be read.*\$\.name"):
        THINGS.decode(b'{"schema":0,"title":7}', "thing a")


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b'{"schema":3,"name":"a","size":1.0}', "newer bluegreen \\(schema 3; this one reads up to 2\\)"),
        (b'{"schema":-1}', "schema is -1"),
        (b'{"name":"a"}', "missing required field `schema`"),
        (b'{"schema":2,"name":"a","size":"big"}', r"`\$\.size`"),
        (b'{"schema":2,"name":"a","size":1.0,"colour":"red"}', r"`\$\.colour`"),
        (b'{"schema":2,"name":"a"', "truncated"),
        (b"\xff\xfe", "thing a"),
        (b"[]", "thing a"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place_and_the_way_out(raw: bytes, says: str) -> None:
    with pytest.raises(RecordError, match=says) as refused:
        THINGS.decode(raw, "thing a")
    assert refused.value.message.startswith("thing a ")
    assert refused.value.hint


def test_a_key_misspelt_deep_inside_is_found() -> None:
    raw = codec.encode_deployment(a_full_deployment()).replace(b'"retry_at"', b'"rety_at"')
    with pytest.raises(RecordError, match=r"\$\.hooks\[0\]\.rety_at"):
        codec.decode_deployment(raw, "d-1")


def test_a_record_edited_without_harm_still_loads() -> None:
    """Another order of keys, other spaces, a float without its point."""
    content = msgspec.json.decode(codec.encode_deployment(a_deployment()))
    shuffled = dict(sorted(content.items())) | {"started_at": 1_700_000_000}
    raw = msgspec.json.format(msgspec.json.encode(shuffled), indent=2)
    assert codec.decode_deployment(raw, "d-1") == a_deployment()


def test_a_value_that_could_not_be_read_back_is_refused_before_it_is_written() -> None:
    wrong = replace(a_deployment(), blue_count=cast(int, "three"))
    with pytest.raises(RecordError, match="cannot be stored"):
        codec.encode_deployment(wrong)
    with pytest.raises(RecordError, match="cannot be stored"):
        codec.encode_event(replace(an_event("a"), data={"what": object()}))
    with pytest.raises(RecordError, match="cannot be stored"):
        codec.encode_event(an_event("half a character: \ud800"))


def test_the_sample_record_covers_every_field_of_today() -> None:
    """A field added without a default would break old records; one added at all needs no new schema if it has one."""
    content = msgspec.json.decode((SAMPLES / "deployment-schema-1.json").read_bytes())
    required = {field.name for field in msgspec.inspect.type_info(Deployment).fields if field.required}  # type: ignore[attr-defined]
    assert required <= content.keys()


def test_a_part_of_an_item_is_named_with_its_attribute() -> None:
    raw = codec.encode_part((known_good(1),))
    with pytest.raises(RecordError, match=r"the item service#orders / current .*attribute known_good"):
        codec.decode_part(raw, int, "the item service#orders / current", "known_good")
