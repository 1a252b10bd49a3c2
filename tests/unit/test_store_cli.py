from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from moto import mock_aws

from bluegreen.cli.store import command
from bluegreen.errors import UsageError
from tests.contract.store_support import a_client


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


def test_create_makes_the_file_and_says_how_to_use_it(runner: CliRunner, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/records.db"
    first = runner.invoke(command, ["create", "--store", url], catch_exceptions=False)
    again = runner.invoke(command, ["create"], env={"BLUEGREEN_STORE": url}, catch_exceptions=False)
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert "records.db was created" in first.output
    assert f'export BLUEGREEN_STORE="{url}"' in first.output
    assert "records.db exists already" in again.output
    assert (tmp_path / "records.db").stat().st_size > 0


def test_create_makes_the_table_in_the_region_of_the_url(runner: CliRunner) -> None:
    credentials = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    with mock_aws():
        url = "dynamodb://bluegreen?region=eu-west-1"
        done = runner.invoke(command, ["create", "--store", url], env=credentials, catch_exceptions=False)
        assert a_client().describe_table(TableName="bluegreen")["Table"]["TableStatus"] == "ACTIVE"
    assert done.exit_code == 0
    assert "table bluegreen was created" in done.output
    assert "restored to any second" in done.output
    assert url in done.output


def test_create_refuses_a_wrong_url(runner: CliRunner) -> None:
    with pytest.raises(UsageError, match="postgres"):
        runner.invoke(command, ["create", "--store", "postgres://db"], catch_exceptions=False)
