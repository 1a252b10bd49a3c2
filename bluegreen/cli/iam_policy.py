"""``bluegreen iam-policy``: what an identity must be allowed, for this configuration and no more."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from bluegreen.cli.app import App
from bluegreen.cli.options import config_option

if TYPE_CHECKING:
    from bluegreen.aws.policy import Scope
    from bluegreen.config.load import Loaded
    from bluegreen.wiring import Session


@click.command("iam-policy")
@config_option
@click.option(
    "--purpose",
    type=click.Choice(["deploy", "rollback", "read"]),
    default="deploy",
    show_default=True,
    help="deploy: everything; rollback: an on-call who only puts traffic back; read: status, history, verify.",
)
@click.option("--account", metavar="ID", help="The AWS account, twelve digits. [default: any]")
@click.option("--role", "roles", multiple=True, metavar="ARN", help="A role that the tasks get; repeatable.")
@click.option("--log-group", "groups", multiple=True, metavar="NAME", help="A group the tasks log to; repeatable.")
@click.option("--family", metavar="NAME", help="The task definition's family. [default: the file's, or any]")
@click.pass_obj
def command(
    app: App,
    config: str,
    purpose: str,
    account: str | None,
    roles: tuple[str, ...],
    groups: tuple[str, ...],
    family: str | None,
) -> None:
    """Print the least-privilege IAM policy for the configuration, as JSON.

    Asks AWS nothing: names become ARN patterns. Roles, log groups and the family are taken from the task definition's
    file where the configuration names one; otherwise say them, or the policy takes any.
    """
    from bluegreen.aws.policy import Purpose, policy
    from bluegreen.cli.terminal import show_json

    _check(account, roles)
    session, _ = app.session_of("iam-policy", config)
    loaded = _loaded(app, session, config)
    show_json(policy(loaded.spec, Purpose(purpose), _scope(session, loaded, account, roles, groups, family)))


# Private


def _check(account: str | None, roles: tuple[str, ...]) -> None:
    if account is not None and not re.fullmatch(r"[0-9]{12}", account):
        raise click.UsageError(f"--account {account} is no AWS account; it has twelve digits")
    for role in roles:
        if not re.fullmatch(r"arn:aws[\w-]*:iam::[0-9*]+:role/\S+", role):
            raise click.UsageError(f"--role {role} is no role's ARN; write arn:aws:iam::ACCOUNT:role/NAME")


def _loaded(app: App, session: Session, config: str) -> Loaded:
    """The release's variables are a pipeline's: where they are missing here, the policy does without the release."""
    from bluegreen.errors import ConfigurationError

    try:
        return app.load(session, config)
    except ConfigurationError:
        return app.load(session, config, with_release=False)


def _scope(
    session: Session,
    loaded: Loaded,
    account: str | None,
    roles: tuple[str, ...],
    groups: tuple[str, ...],
    family: str | None,
) -> Scope:
    from bluegreen.aws.policy import Scope, log_groups, role_arns
    from bluegreen.store.location import DynamoLocation, parse

    definition = (loaded.request.definition if loaded.request else None) or {}
    location = parse(session.store_url)
    table = location if isinstance(location, DynamoLocation) else None
    named = definition.get("family")
    return Scope(
        region=session.options.region or loaded.spec.region or session.environment.get("AWS_REGION"),
        account=account,
        table=table.table if table else None,
        table_region=table.region if table else None,
        family=family or (str(named) if named else None),
        roles=roles or role_arns(definition),
        log_groups=groups or log_groups(definition),
    )
