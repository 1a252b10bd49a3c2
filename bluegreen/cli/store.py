"""``bluegreen store``: make the place where records live."""

from __future__ import annotations

from pathlib import Path

import click

from bluegreen.store.location import DynamoLocation, parse


@click.group(name="store")
def command() -> None:
    """The state store: where deployments, their events and the services' locks are kept."""


@command.command()
@click.option("--store", "url", envvar="BLUEGREEN_STORE", required=True, metavar="URL", help="dynamodb://TABLE …")
@click.option("--region", metavar="REGION", help="Of a DynamoDB table; the default is AWS's own.")
@click.option("--profile", metavar="NAME", help="The AWS profile to use.")
def create(url: str, region: str | None, profile: str | None) -> None:
    """Make the store now. Repeating it is safe: what exists stays as it is.

    dynamodb://TABLE makes a table (pay per request, protected against deletion, point-in-time recovery);
    sqlite:///PATH makes a file. A SQLite store is made on first use anyway.
    """
    location = parse(url)
    lines = (
        _create_table(location, region, profile)
        if isinstance(location, DynamoLocation)
        else _create_file(location.path)
    )
    for line in lines:
        click.echo(line)
    click.echo(f'use it: export BLUEGREEN_STORE="{location}"')


# -- private


def _create_table(location: DynamoLocation, region: str | None, profile: str | None) -> list[str]:
    from bluegreen.aws.clients import Clients
    from bluegreen.store.dynamodb_table import create_table

    clients = Clients(region=region or location.region, profile=profile)
    return create_table(clients.dynamodb, location.table)


def _create_file(path: Path) -> list[str]:
    from bluegreen.store.sqlite import create

    return [f"{path.absolute()} " + ("was created" if create(path) else "exists already")]
