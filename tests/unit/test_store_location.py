from __future__ import annotations

from pathlib import Path

import pytest

from bluegreen.errors import UsageError
from bluegreen.store.location import DynamoLocation, SqliteLocation, parse


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///state.db", SqliteLocation(Path("state.db"))),
        ("sqlite:///a%20b/state.db", SqliteLocation(Path("a b/state.db"))),
        ("sqlite:////var/lib/bluegreen/state.db", SqliteLocation(Path("/var/lib/bluegreen/state.db"))),
        ("dynamodb://Blue.green-1", DynamoLocation("Blue.green-1")),
        ("dynamodb://bluegreen/", DynamoLocation("bluegreen")),
        ("dynamodb://bluegreen?region=eu-west-1", DynamoLocation("bluegreen", "eu-west-1")),
    ],
)
def test_a_store_url_names_its_place(url: str, expected: object) -> None:
    assert parse(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "state.db",
        "postgres://db",
        "sqlite:",
        "sqlite:///",
        "sqlite://state.db",
        "sqlite:///a.db?mode=ro",
        "dynamodb://",
        "dynamodb://ab",
        "dynamodb://a table",
        "dynamodb://table/more",
        "dynamodb://table?region=",
        "dynamodb://table?zone=1",
        "dynamodb://[",
    ],
)
def test_a_wrong_store_url_is_refused_with_the_forms_that_exist(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse(url)
    assert repr(url) in refused.value.message
    assert "sqlite:///" in (refused.value.hint or "")
    assert "dynamodb://" in (refused.value.hint or "")


@pytest.mark.parametrize("url", ["sqlite:////var/a.db", "sqlite:///a.db", "dynamodb://table?region=eu-west-1"])
def test_a_location_is_written_as_it_was_read(url: str) -> None:
    assert str(parse(url)) == url
