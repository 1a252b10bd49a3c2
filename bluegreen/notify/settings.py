"""What each kind of notifier may be told, checked strictly. Imports pydantic: loaded when a configuration is read, or
when a notifier is built, which is never before a rollback is SAFE.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field, field_validator, model_validator

from bluegreen.hooks.fields import Settings, Text


class CommandNotifierSettings(Settings):
    run: list[Text] | str = Field(description="an argument list; with shell: true one string")
    shell: bool = Field(default=False, description="hand run to a shell")
    cwd: str = Field(default=".", description="where it runs, relative to the configuration's folder")
    env: dict[str, Text] = Field(default_factory=dict, description="added to the environment")

    @model_validator(mode="after")
    def _list_or_shell(self) -> CommandNotifierSettings:
        if self.shell != isinstance(self.run, str):
            raise ValueError("run is a list of arguments, or one string with shell: true")
        if not self.run or not self.run[0]:
            raise ValueError("run names no command")
        return self


class WebhookSettings(Settings):
    url: str = Field(description="where the fact is posted as JSON; its text is what a Slack-like chat shows")
    headers: dict[str, Text] = Field(default_factory=dict, description="headers to send")
    body: dict[str, Any] = Field(default_factory=dict, description="added to the JSON, such as channel: for a chat")
    verify: bool | str = Field(default=True, description="check the certificate; a path names a CA bundle")

    @field_validator("url")
    @classmethod
    def _absolute(cls, url: str) -> str:
        if not re.fullmatch(r"https?://[^/\s?#]+(?:[/?#]\S*)?", url):
            raise ValueError("a url starts with http:// or https:// and names a host")
        return url

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or re.search(r"[\r\n\0]", value):
                raise ValueError("a header has a name without spaces, and a value of one line")
        return headers


class SnsSettings(Settings):
    topic: str = Field(pattern=r"^arn:[\w-]+:sns:[\w-]+:\d{12}:[\w.-]+$", description="the topic's ARN")


class EventBridgeSettings(Settings):
    bus: str = Field(
        default="default", min_length=1, pattern=r"^[\w./:-]+$", description="the event bus, by its name or ARN"
    )
    source: str = Field(default="bluegreen", pattern=r"^[\w./-]+$", max_length=256, description="the events' source")

    @field_validator("source")
    @classmethod
    def _not_of_aws(cls, source: str) -> str:
        if source.startswith("aws."):
            raise ValueError("a source that begins with aws. is AWS's own")
        return source


_MODELS: dict[str, type[BaseModel]] = {
    "command": CommandNotifierSettings,
    "webhook": WebhookSettings,
    "sns": SnsSettings,
    "eventbridge": EventBridgeSettings,
}
_MAIN_KEYS = {"command": "run", "webhook": "url", "sns": "topic", "eventbridge": "bus"}


def notifier_model(kind: str) -> type[BaseModel]:
    """The model of a built-in notifier; KeyError for a kind that is not ours."""
    return _MODELS[kind]


def notifier_settings_of(kind: str, written: object) -> dict[str, object]:
    """The long form: ``{sns: ARN}`` is ``{sns: {topic: ARN}}``. Raises TypeError for something that is neither."""
    if isinstance(written, Mapping):
        return {str(key): value for key, value in written.items()}
    key = _MAIN_KEYS.get(kind)
    if key is None or written is None:
        raise TypeError(f"{kind} takes its settings as keys and values")
    return {key: written}
