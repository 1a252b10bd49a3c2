"""The notifiers that are built in, against what they speak to: what arrives there, what is said when it does not."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import boto3
import pytest
from moto import mock_aws

from bluegreen.aws.clients import Clients
from bluegreen.clock import SystemClock
from bluegreen.domain.spec import Moment, NotifySpec
from bluegreen.errors import ConfigurationError, HookUnavailableError
from bluegreen.hooks.running import Links
from bluegreen.notify.base import Fact, Notifier
from bluegreen.notify.registry import build_notifier, notifier_kinds
from bluegreen.notify.settings import notifier_model, notifier_settings_of
from tests.contract.hook_kit import ENVIRONMENT, PLANTED, Release, alive, serving, until

REGION = "eu-west-1"
FACT = Fact(
    Moment.HELD,
    1_700_000_000.25,
    "orders",
    "production",
    "d-1",
    "shift",
    f"held: orders has blue 50% / green 50% ({PLANTED})",
    "orders:7",
    "orders:6",
    {"hold": "drift", "way_out": f"bluegreen resume orders --accept-live {PLANTED}", "deep": [{"token": PLANTED}]},
)


@pytest.fixture
def release() -> Iterator[Release]:
    with serving(Release({"/hook": (200, "ok"), "/gone": (404, "no such hook")})) as release:
        yield release


def notifier(kind: str, settings: dict[str, object], folder: Path = Path("/"), links: Links | None = None) -> Notifier:
    spec = NotifySpec("team", kind, settings, timeout=5.0)
    return build_notifier(spec, ENVIRONMENT, folder, SystemClock(), links or Links())


def refused(made: Notifier, fact: Fact = FACT) -> str:
    with pytest.raises(HookUnavailableError) as raised:
        made.tell(fact)
    return raised.value.message


def test_a_webhook_gets_json_with_a_text_that_chats_show_and_no_secret(release: Release) -> None:
    settings: dict[str, object] = {"url": f"{release.url}/hook", "headers": {"X-From": "bluegreen"}}
    settings["body"] = {"channel": "#orders"}
    notifier("webhook", settings).tell(FACT)
    ((method, path, headers, body),) = release.seen
    posted = json.loads(body)
    assert (method, path, headers["X-From"]) == ("POST", "/hook", "bluegreen")
    assert posted["text"].startswith("orders: held: orders has blue 50%")
    assert "way out: bluegreen resume orders --accept-live" in posted["text"]
    assert posted["channel"] == "#orders"
    assert posted["bluegreen"]["moment"] == "held"
    assert posted["bluegreen"]["at"] == "2023-11-14T22:13:20.250Z"
    assert PLANTED not in body.decode()


@pytest.mark.parametrize("path", ["/gone/T0/B0/verysecretpart", "/broken"])
def test_a_webhook_that_does_not_take_it_shows_its_host_and_never_its_path(release: Release, path: str) -> None:
    said = refused(notifier("webhook", {"url": f"{release.url}{path}"}))
    assert said.startswith("127.0.0.1")
    assert path not in said


def test_a_webhook_that_never_answers_is_left_at_its_timeout(release: Release) -> None:
    spec = NotifySpec("team", "webhook", {"url": f"{release.url}/drip"}, timeout=0.3)
    clock = SystemClock()
    began = clock.monotonic()
    made = build_notifier(spec, ENVIRONMENT, Path("/"), clock, Links())
    assert "no answer within 300 ms" in refused(made)
    assert clock.monotonic() - began < 5


def test_a_secret_that_came_in_by_a_variable_is_not_in_what_went_wrong() -> None:
    settings: dict[str, object] = {"url": "http://${PLANTED_TOKEN}.invalid/"}
    said = refused(notifier("webhook", settings))
    assert PLANTED not in said


def test_a_command_is_told_in_its_environment(tmp_path: Path) -> None:
    script = "import json, os; json.dump(dict(os.environ), open('told.json', 'w'))"
    notifier("command", {"run": [sys.executable, "-c", script], "env": {"CHANNEL": "orders"}}, tmp_path).tell(FACT)
    told = json.loads((tmp_path / "told.json").read_text())
    assert (told["BLUEGREEN_MOMENT"], told["BLUEGREEN_SERVICE"], told["CHANNEL"]) == ("held", "orders", "orders")
    assert json.loads(told["BLUEGREEN_FACT"])["release"] == "orders:7"
    assert PLANTED not in told["BLUEGREEN_FACT"] + told["BLUEGREEN_MESSAGE"] + told["BLUEGREEN_TEXT"]


def test_a_command_that_fails_says_its_last_words_without_a_secret(tmp_path: Path) -> None:
    run = f"echo first; echo 'the chat refused {PLANTED}'; exit 3"
    said = refused(notifier("command", {"run": run, "shell": True}, tmp_path))
    assert "exit 3: the chat refused [redacted]" in said


def test_a_command_that_hangs_is_ended_with_all_its_children(tmp_path: Path) -> None:
    script = "import os, signal; open('pid', 'w').write(str(os.getpid())); signal.pause()"
    spec = NotifySpec("team", "command", {"run": [sys.executable, "-c", script]}, timeout=0.5)
    made = build_notifier(spec, ENVIRONMENT, tmp_path, SystemClock(), Links())
    assert "no end after 500 ms" in refused(made)
    until(lambda: not alive(int((tmp_path / "pid").read_text())))


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> Iterator[Links]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        clients = Clients(REGION, environment={})
        yield Links(lambda: clients)


def queue_of(name: str) -> tuple[Any, str, str]:
    sqs = boto3.client("sqs", region_name=REGION)
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return sqs, url, arn


def test_a_topic_gets_the_text_for_people_and_the_fact_for_queues(links: Links) -> None:
    topic = boto3.client("sns", region_name=REGION).create_topic(Name="deployments")["TopicArn"]
    sqs, url, arn = queue_of("told")
    boto3.client("sns", region_name=REGION).subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    notifier("sns", {"topic": topic}, links=links).tell(replace(FACT, service="bestellungen-ü"))
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    envelope = json.loads(message["Body"])
    assert json.loads(envelope["Message"])["moment"] == "held"
    assert envelope["Subject"] == "bestellungen-?: held"
    assert envelope["MessageAttributes"]["moment"]["Value"] == "held"
    assert PLANTED not in message["Body"]


def test_a_topic_that_does_not_exist_could_not_be_told(links: Links) -> None:
    said = refused(notifier("sns", {"topic": f"arn:aws:sns:{REGION}:123456789012:nowhere"}, links=links))
    assert "does not exist" in said.lower() or "not" in said.lower()


def test_a_bus_gets_an_event_that_rules_can_match(links: Links) -> None:
    events = boto3.client("events", region_name=REGION)
    events.create_event_bus(Name="deployments")
    sqs, url, arn = queue_of("matched")
    pattern = {"source": ["bluegreen"], "detail-type": ["bluegreen deployment held"], "detail": {"service": ["orders"]}}
    events.put_rule(Name="held", EventBusName="deployments", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="held", EventBusName="deployments", Targets=[{"Id": "1", "Arn": arn}])
    notifier("eventbridge", {"bus": "deployments"}, links=links).tell(FACT)
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    event = json.loads(message["Body"])
    assert event["detail"]["message"].startswith("held: orders has blue 50%")
    assert PLANTED not in message["Body"]


def test_what_a_bus_refuses_of_an_event_is_said() -> None:
    class Bus:
        def put_events(self, *, Entries: list[dict[str, str]]) -> dict[str, Any]:
            return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "try later"}]}

    class Aws:
        eventbridge = Bus()

        def write(self, method: Any, **parameters: Any) -> Any:
            return method(**parameters)

    said = refused(notifier("eventbridge", {}, links=Links(cast(Any, Aws))))
    assert said == "InternalFailure: try later"


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        ("webhook", {"url": "ftp://x"}, "starts with http"),
        ("webhook", {"url": "https://x", "chanel": "#x"}, "chanel"),
        ("sns", {"topic": "deployments"}, "topic"),
        ("command", {"run": "make tell"}, "shell: true"),
        ("eventbridge", {"source": "aws.mine"}, "source"),
        ("nobody", {}, "unknown kind nobody"),
        ("webhook", {"url": "https://${NOT_SET}"}, "no variable NOT_SET"),
    ],
)
def test_settings_that_are_wrong_are_refused_with_the_notifiers_name(
    kind: str, settings: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigurationError, match="notifier team: ") as raised:
        notifier(kind, settings)
    assert said in raised.value.message


@pytest.mark.parametrize("kind", notifier_kinds())
def test_every_kind_has_a_short_form(kind: str) -> None:
    short = {"webhook": "https://x/y", "sns": "arn:aws:sns:eu-west-1:123456789012:t", "command": ["true"]}
    settings = notifier_settings_of(kind, short.get(kind, "deployments"))
    assert notifier_model(kind).model_validate(settings)
