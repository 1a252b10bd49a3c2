"""What a request asks for, read from its headers and body without executing it."""

from __future__ import annotations

import io
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

Environ = dict[str, Any]

# Signing name → the name of the service in botocore, where the two differ.
_SERVICES = {
    "elasticloadbalancing": "elbv2",
    "monitoring": "cloudwatch",
    "states": "stepfunctions",
}
_READ_PREFIXES = ("Describe", "List", "Get", "BatchGet", "Query", "Scan", "Lookup", "Head")
_FUNCTION = re.compile(r"/2015-03-31/functions/([^/]+)/invocations$")
_SECRET_WORDS = ("secret", "password", "token", "sessionkey")


@dataclass(frozen=True, slots=True)
class Call:
    """``service`` is botocore's name, ``operation`` AWS's; ``protocol`` decides how an error is written."""

    service: str
    operation: str
    protocol: str
    region: str
    parameters: Mapping[str, Any]
    user_agent: str
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def name(self) -> str:
        return f"{self.service}:{self.operation}"

    @property
    def is_read(self) -> bool:
        return self.operation.startswith(_READ_PREFIXES)


def read_call(environ: Environ) -> Call:
    """The call in ``environ``. The body is read and put back, so the emulator can read it again."""
    body = _take_body(environ)
    service, region = _signed_for(environ.get("HTTP_AUTHORIZATION", ""))
    protocol, operation, parameters = _operation(environ, service, body)
    return Call(
        service=service,
        operation=operation,
        protocol=protocol,
        region=region,
        parameters=_without_secrets(parameters),
        user_agent=environ.get("HTTP_USER_AGENT", ""),
    )


def _take_body(environ: Environ) -> bytes:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body: bytes = environ["wsgi.input"].read(length) if length else b""
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _signed_for(authorization: str) -> tuple[str, str]:
    try:
        _, _, region, service, _ = authorization.split(",")[0].split()[1].split("/")
    except (IndexError, ValueError):
        return "unsigned", "us-east-1"
    return _SERVICES.get(service.lower(), service.lower()), region


def _operation(environ: Environ, service: str, body: bytes) -> tuple[str, str, dict[str, Any]]:
    path = environ.get("PATH_INFO", "/")
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        return "json", target.rpartition(".")[2], _json(body)
    if path.startswith("/service/") and "/operation/" in path:
        return "cbor", path.rpartition("/")[2], {}
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        operation = form.pop("Action", "Unknown")
        form.pop("Version", None)
        return ("ec2" if service == "ec2" else "query"), operation, dict(form)
    named = _FUNCTION.match(path) if service == "lambda" else None
    # What a function is handed is its own affair, and may be a secret: the call is known by its function.
    parameters = {"FunctionName": unquote(named[1])} if named else _json(body)
    return "rest-json", _rest_operation(environ, service), parameters


def _rest_operation(environ: Environ, service: str) -> str:
    from moto.core.request import Request
    from moto.core.routing import get_service_router
    from werkzeug.exceptions import NotFound

    try:
        operation, _ = get_service_router(service).match(Request(dict(environ)))
    except (NotFound, NotImplementedError, ValueError, LookupError):
        return f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '/')}"
    except Exception as error:
        if type(error).__name__ in {"UnknownServiceError", "DataNotFoundError"}:
            return f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '/')}"
        raise
    return str(operation.name)


def _json(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body) if body else {}
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: "***" if _is_secret(key) else _without_secrets(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    return value


def _is_secret(key: str) -> bool:
    return any(word in key.lower().replace("_", "") for word in _SECRET_WORDS)
