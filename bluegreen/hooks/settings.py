"""What each kind of hook and gate may be told, checked strictly. The only room of ``hooks`` that imports pydantic,
with its neighbours ``fields``, ``settings_remote`` and ``settings_gates``: a rollback builds no hook before traffic is
back on blue, and must not pay for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

import jmespath
import jmespath.exceptions
from pydantic import BaseModel, BeforeValidator, Field, field_validator, model_validator

from bluegreen.hooks.expect import jmes
from bluegreen.hooks.fields import Duration, Expressions, ProcessSettings, Settings, Statuses, Text, several

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def settings_model(kind: str) -> type[BaseModel]:
    """The model of a built-in hook or gate; KeyError for a kind that is not ours."""
    return _models()[kind]


def settings_of(kind: str, written: object) -> dict[str, object]:
    """The long form of what stands behind ``kind:`` in a configuration: ``{pytest: tests/smoke}`` is
    ``{pytest: {path: tests/smoke}}``. Raises TypeError for something that is neither."""
    if isinstance(written, Mapping):
        return {str(key): value for key, value in written.items()}
    key = _MAIN_KEYS.get(kind)
    if key is None or written is None:
        enough = "; {} where the defaults will do" if written is None else ""
        raise TypeError(f"{kind} takes its settings as keys and values{enough}")
    return {key: written}


class CommandSettings(ProcessSettings):
    run: list[Text] | str = Field(description="an argument list; with shell: true one string")
    shell: bool = Field(default=False, description="hand run to a shell")
    unavailable_codes: tuple[int, ...] = Field(
        default=(75,), description="exit codes that say: could not ask (75 is sysexits' EX_TEMPFAIL)"
    )

    @model_validator(mode="after")
    def _list_or_shell(self) -> CommandSettings:
        if self.shell and not isinstance(self.run, str):
            raise ValueError("with shell: true, run is one string")
        if not self.shell and isinstance(self.run, str):
            raise ValueError("run is a list of arguments, or one string with shell: true")
        if not self.run or not self.run[0]:
            raise ValueError("run names no command")
        return self


class RequestSettings(Settings):
    """One of ``path`` (through the test route) and ``url`` (as it stands), and what the answer must be like."""

    path: str | None = Field(default=None, description="a path through the test route")
    url: str | None = Field(default=None, description="in place of path: a whole URL, as it stands")
    method: str = Field(default="GET", pattern=r"^[A-Za-z]+$", description="the HTTP method")
    headers: dict[str, Text] = Field(default_factory=dict, description="headers to send")
    body: str | dict[str, Any] | list[Any] | None = Field(default=None, description="a mapping or list goes as JSON")
    status: Statuses = Field(
        default=((200, 299),),
        description="the status wanted: a number, a range as in 200-299, or several",
        json_schema_extra={"default": "200-299"},
    )
    json_: dict[str, Any] = Field(
        default_factory=dict, alias="json", description="JMESPath ($. in front is allowed) to the expected value"
    )
    contains: Expressions = Field(default=(), description="text that the body must hold")
    matches: Expressions = Field(default=(), description="regular expressions, searched in the body")
    timeout: Duration = Field(default=10.0, gt=0, description="for each request")
    verify: bool | str = Field(default=True, description="check the certificate; a path names a CA bundle")

    @model_validator(mode="after")
    def _one_place(self) -> RequestSettings:
        if (self.path is None) == (self.url is None):
            raise ValueError("give either path (through the test route) or url")
        return self

    @field_validator("path")
    @classmethod
    def _rooted(cls, path: str | None) -> str | None:
        if path is not None and (not path.startswith("/") or re.search(r"[\x00-\x20\x7f]", path)):
            raise ValueError("a path starts with / and has neither spaces nor control characters")
        return path

    @field_validator("url")
    @classmethod
    def _absolute(cls, url: str | None) -> str | None:
        if url is not None and not re.fullmatch(r"https?://[^/\s?#]+(?:[/?#]\S*)?", url):
            raise ValueError("a url starts with http:// or https:// and names a host")
        return url

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name) or re.search(r"[\r\n\0]", value):
                raise ValueError(f"{name!r} is no header that can be sent")
        return headers

    @field_validator("json_")
    @classmethod
    def _expressions(cls, conditions: dict[str, Any]) -> dict[str, Any]:
        return compilable(conditions)

    @field_validator("matches")
    @classmethod
    def _regular(cls, expressions: tuple[str, ...]) -> tuple[str, ...]:
        for expression in expressions:
            try:
                re.compile(expression)
            except re.error as error:
                raise ValueError(f"{expression!r} is no regular expression: {error}") from None
        return expressions


class HttpSettings(RequestSettings):
    latency: Duration | None = Field(default=None, description="the longest any one exchange may take")
    times: int = Field(default=1, ge=1, le=100_000, description="how many requests")
    concurrency: int = Field(default=1, ge=1, le=64, description="how many at the same time")
    interval: Duration = Field(default=0.0, description="between the starts of two requests of one worker")


class WaitForSettings(RequestSettings):
    never: dict[str, Any] = Field(
        default_factory=dict, description="JMESPath to a value that ends the waiting with no, as json does with yes"
    )
    interval: Duration = Field(default=2.0, gt=0, description="between the ends and starts of two requests")

    @field_validator("never")
    @classmethod
    def _askable(cls, conditions: dict[str, Any]) -> dict[str, Any]:
        return compilable(conditions)


class PytestSettings(ProcessSettings):
    path: Annotated[
        tuple[Text, ...], BeforeValidator(several, json_schema_input_type=str | list[str]), Field(min_length=1)
    ] = Field(description="a file or folder of tests, or several")
    args: list[Text] = Field(default_factory=list, description="further arguments of pytest")
    python: str | None = Field(default=None, description="the interpreter that has pytest; bluegreen's own by default")
    junit: str | None = Field(default=None, description="where to keep JUnit XML, relative to cwd")


class PythonSettings(ProcessSettings):
    call: str = Field(
        pattern=r"^[^:\s][^:]*:[A-Za-z_][\w.]*$", description="package.module:function or file.py:function"
    )
    python: str | None = Field(default=None, description="the interpreter to use; bluegreen's own by default")


def compilable(conditions: dict[str, Any]) -> dict[str, Any]:
    """The same; raises ValueError for a key that is no JMESPath."""
    for path in conditions:
        try:
            jmespath.compile(jmes(path))
        except jmespath.exceptions.JMESPathError as error:
            raise ValueError(f"{path!r} is no JMESPath expression: {str(error).splitlines()[0]}") from None
    return conditions


def _models() -> dict[str, type[BaseModel]]:
    # Here, because these two build on what stands above.
    from bluegreen.hooks import settings_compare as compare
    from bluegreen.hooks import settings_gates as gates
    from bluegreen.hooks import settings_remote as remote

    return {
        "command": CommandSettings,
        "http": HttpSettings,
        "pytest": PytestSettings,
        "python": PythonSettings,
        "lambda": remote.LambdaSettings,
        "wait_for": WaitForSettings,
        "approval": remote.ApprovalSettings,
        "codebuild": remote.CodeBuildSettings,
        "stepfunctions": remote.StepFunctionsSettings,
        "load": remote.LoadSettings,
        "alarm": gates.AlarmSettings,
        "metric": gates.MetricSettings,
        "prometheus": gates.PrometheusSettings,
        "compare": compare.CompareSettings,
    }


_MAIN_KEYS = {
    "command": "run",
    "http": "path",
    "pytest": "path",
    "python": "call",
    "lambda": "function",
    "wait_for": "path",
    "approval": "message",
    "codebuild": "project",
    "stepfunctions": "state_machine",
    "alarm": "alarm",
}
