"""Secrets that stand in a configuration as they are are refused, with the key and the way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.config_support import problem, read, read_text, small

GITHUB = "ghp_" + "a1B2c3D4" * 5
AWS = "AKIA" + "ABCD1234" * 2
SLACK = "https://hooks.slack.com/services/T0ABCDEF1/B0ABCDEF2/abcdefghijklmnopqrstuvwx"


def hook(kind: str, settings: object) -> dict[str, Any]:
    return {"hooks": {"test": [{kind: settings}]}}


def notifier(kind: str, settings: object) -> dict[str, Any]:
    return {"notify": [{kind: settings}]}


@pytest.mark.parametrize(
    ("written", "key", "variable"),
    [
        (hook("http", {"path": "/", "headers": {"Authorization": "Bearer s3cr3t-t0ken"}}), "headers.", "AUTH"),
        (hook("http", {"path": "/", "headers": {"X-Api-Key": "letmein-now"}}), "headers.X-Api-Key", "X_API_KEY"),
        (hook("http", {"path": "/", "body": {"user": "ada", "password": "hunter22"}}), "body.password", "PASSWORD"),
        (hook("http", {"url": "https://ada:hunter22@example.com/"}), "http.url", "VAR"),
        (hook("http", {"path": "/?api_key=hunter22"}), "http.path", "PATH"),
        (hook("command", {"run": ["smoke", "--token=hunter22"]}), "command.run[1]", "VAR"),
        (hook("command", {"run": ["smoke", "--password", "hunter22"]}), "command.run[2]", "VAR"),
        (hook("command", {"run": ["smoke", GITHUB]}), "command.run[1]", "VAR"),
        (hook("command", {"run": f"curl -H 'X-Key: {AWS}' x", "shell": True}), "command.run", "VAR"),
        (hook("command", {"run": "API_TOKEN=hunter22 smoke", "shell": True}), "command.run", "VAR"),
        (hook("command", {"run": ["smoke"], "env": {"DB_PASSWORD": "hunter22"}}), "env.DB_PASSWORD", "DB_PASSWORD"),
        (notifier("webhook", SLACK), "notify[0].webhook", "VAR"),
        (notifier("webhook", {"url": "https://chat.example.com/hooks/a1b2c3d4e5f6a7b8c9"}), "webhook.url", "VAR"),
        (notifier("webhook", {"url": "https://chat.example.com/x?token=hunter22"}), "webhook.url", "VAR"),
        ({"gates": [{"prometheus": {"url": "https://ada:hunter22@p", "query": "up", "max": 1}}]}, "url", "VAR"),
    ],
)  # fmt: skip
def test_a_secret_that_stands_in_the_file_is_refused_with_its_key_and_the_way_out(
    tmp_path: Path, written: dict[str, Any], key: str, variable: str
) -> None:
    said = problem(tmp_path, **written)
    assert key in said
    assert "looks like a secret" in said
    assert "${" + variable in said
    for secret in ("hunter22", "s3cr3t", "letmein", GITHUB, AWS, "a1b2c3d4", "abcdefghijklmnop"):
        assert secret not in said


@pytest.mark.parametrize(
    "written",
    [
        hook("http", {"path": "/", "headers": {"Authorization": "Bearer ${TOKEN}", "Cookie": "beta=1"}}),
        hook("http", {"path": "/login", "json": {"$.token_type": "bearer", "$.password": "expired-long-ago"}}),
        hook("http", {"url": "https://ada:${TOKEN}@example.com/"}),
        hook("command", {"run": ["smoke", "--token=${TOKEN}", "--token", "${TOKEN}", "--password", "--verbose"]}),
        hook("command", {"run": "curl -H \"Authorization: Bearer $TOKEN\" x; PASSWORD=$(cat f) y", "shell": True}),
        hook("command", {"run": ["smoke"], "env": {"SORT_KEY": "customer", "TOKEN_FILE": "/run/token"}}),
        hook("command", {"run": ["smoke"], "env": {"TOKEN_TTL": "300s", "TOKEN": "none"}}),
        hook("command", {"run": ["smoke"], "env": {"SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:1:secret:x"}}),
        hook("approval", {"message": "Is the basic monitoring fine, and the API token: rotated?"}),
        notifier("webhook", {"url": "https://chat.example.com/hooks/orders-service-production"}),
        {"gates": [{"prometheus": {"url": "http://p", "query": 'sum(rate(x{token_type="abcdef"}[1m]))', "max": 1}}]},
    ],
)  # fmt: skip
def test_what_only_reads_like_one_is_let_pass(tmp_path: Path, written: dict[str, Any]) -> None:
    read(tmp_path, **written)


def test_a_rollback_reads_a_configuration_with_a_secret_in_it(tmp_path: Path) -> None:
    import json

    text = json.dumps(small(**hook("command", {"run": ["smoke", GITHUB]})))
    assert read_text(tmp_path, text, hook_variables=False).spec.service == "orders"


def test_the_reason_in_the_file_is_kept_without_the_secret_in_it(tmp_path: Path) -> None:
    loaded = read(tmp_path, release={"image": "x:1", "reason": f"because {GITHUB} leaked"})
    assert loaded.request is not None
    assert loaded.request.reason == "because [redacted] leaked"
