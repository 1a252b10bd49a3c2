"""The only place that builds AWS clients: one for each service, made when first asked for.

Built from botocore without boto3's layer, because the rollback's start is timed (docs/decisions/clients.md).
"""

from __future__ import annotations

import gzip
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import botocore.session
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.loaders import JSONFileLoader, Loader

from bluegreen import __version__
from bluegreen.aws.calls import Calls
from bluegreen.aws.errors import translate
from bluegreen.clock import Clock, SystemClock
from bluegreen.errors import ConfigurationError

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from mypy_boto3_application_autoscaling import ApplicationAutoScalingClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client

CONNECT_SECONDS = 2.0
READ_SECONDS = 5.0

WRITE_DEADLINE_SECONDS = CONNECT_SECONDS + READ_SECONDS
"""A mutating call has ended, one way or the other, this long after its fence: it is never repeated by itself."""

SERVICES = (
    "application-autoscaling",
    "cloudwatch",
    "codebuild",
    "dynamodb",
    "ecs",
    "elbv2",
    "events",
    "lambda",
    "logs",
    "sso",
    "sso-oidc",
    "signin",
    "sns",
    "stepfunctions",
    "sts",
)
"""Ours, and those that botocore itself calls to get credentials."""


class Clients:
    """Lazy clients of one account and region, safe to share between threads.

    ``region``, ``profile`` and ``endpoint`` default to the standard AWS variables and files.
    Raises ConfigurationError when there is no region, or no such profile.
    """

    def __init__(
        self,
        region: str | None = None,
        profile: str | None = None,
        endpoint: str | None = None,
        *,
        clock: Clock | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._lock = threading.RLock()
        self._made: dict[str, BaseClient] = {}
        environment = os.environ if environment is None else environment
        self.calls = Calls(clock or SystemClock(), lambda text: _clean(text, environment))
        self.read = self.calls.read
        self.write = self.calls.write
        try:
            self._session = _session(profile)
            self._session.register("before-send", self.calls.check_before_send)
            self.region = region or self._default_region(environment)
        except BotoCoreError as error:
            raise translate(error, operation="configuration", mutating=False) from error
        self._session.set_config_variable("region", self.region)

    @cached_property
    def ecs(self) -> ECSClient:
        return cast("ECSClient", self._client("ecs"))

    @cached_property
    def elbv2(self) -> ElasticLoadBalancingv2Client:
        return cast("ElasticLoadBalancingv2Client", self._client("elbv2"))

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        return cast("CloudWatchClient", self._client("cloudwatch"))

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        return cast("DynamoDBClient", self._client("dynamodb"))

    @cached_property
    def autoscaling(self) -> ApplicationAutoScalingClient:
        return cast("ApplicationAutoScalingClient", self._client("application-autoscaling"))

    @cached_property
    def logs(self) -> Any:
        return self._client("logs")

    @cached_property
    def codebuild(self) -> Any:
        return self._client("codebuild")

    @cached_property
    def stepfunctions(self) -> Any:
        return self._client("stepfunctions")

    @cached_property
    def sns(self) -> Any:
        return self._client("sns")

    @cached_property
    def eventbridge(self) -> Any:
        return self._client("events")

    def functions(self, read_seconds: float) -> Any:
        """A Lambda client of its own that waits so long for a function's answer: it may take fifteen minutes."""
        with self._lock:
            return self._create("lambda", _CONFIG.merge(Config(read_timeout=read_seconds, tcp_keepalive=True)))

    def _default_region(self, environment: Mapping[str, str]) -> str:
        found = environment.get("AWS_REGION") or self._session.get_config_variable("region")
        if not found:
            raise ConfigurationError(
                "no AWS region is configured",
                hint="--region REGION, AWS_REGION, or region: in the configuration",
            )
        return str(found)

    def _client(self, service: str) -> BaseClient:
        with self._lock:
            if service not in self._made:
                self._made[service] = self._create(service)
            return self._made[service]

    def _create(self, service: str, config: Config | None = None) -> BaseClient:
        try:
            return self._session.create_client(
                service,
                region_name=self.region,
                endpoint_url=self._endpoint,
                config=config or _CONFIG,
            )
        except BotoCoreError as error:
            raise translate(error, operation=f"{service} client", mutating=False) from error
        except ValueError as error:
            raise ConfigurationError(f"{service}: {error}", hint="check AWS_ENDPOINT_URL") from error


_CONFIG = Config(
    connect_timeout=CONNECT_SECONDS,
    read_timeout=READ_SECONDS,
    retries={"total_max_attempts": 1, "mode": "standard"},
    user_agent_extra=f"bluegreen/{__version__}",
)


class _KnownServices(Loader):
    """botocore lists its four hundred services' folders before it loads one; we know which we want."""

    def list_available_services(self, type_name: str) -> list[str]:
        return list(SERVICES)


class _ModelFiles(JSONFileLoader):
    """botocore's, with the decoder that the records use: a rollback reads two megabytes of models, at half the time."""

    def load_file(self, file_path: str) -> Any:
        """What the file says, without its suffix; None where there is none."""
        for suffix, opener in _OPENERS.items():
            with suppress(FileNotFoundError), opener(file_path + suffix, "rb") as file:
                return msgspec.json.decode(file.read())
        return None


_OPENERS: Mapping[str, Callable[..., Any]] = {".json": open, ".json.gz": gzip.open}


def _session(profile: str | None) -> botocore.session.Session:
    session = botocore.session.Session(profile=profile)
    extra = str(session.get_config_variable("data_path") or "")
    folders = [os.path.expandvars(os.path.expanduser(folder)) for folder in extra.split(os.pathsep) if folder]
    session.register_component("data_loader", _KnownServices(extra_search_paths=folders, file_loader=_ModelFiles()))
    return session


def _clean(text: str, environment: Mapping[str, str]) -> str:
    # Only where something failed: the rollback is timed.
    from bluegreen.redact import Redactor, secrets_of

    return Redactor(secrets_of(environment)).text(text)
