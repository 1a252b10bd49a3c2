"""From botocore's exceptions and AWS's error codes to our own tree, in words that say what to do.

Codes: the services' botocore models (elbv2, ecs, cloudwatch, dynamodb), and the common errors of the AWS query and
JSON protocols.
"""

from __future__ import annotations

import re
from typing import Any

from botocore import exceptions as botocore

from bluegreen.errors import (
    AccessDeniedError,
    AwsError,
    BluegreenError,
    ConfigurationError,
    CredentialsError,
    NotFoundError,
    RefusedError,
    ThrottledError,
    UnreachableError,
)

THROTTLES = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "ProvisionedThroughputExceededException",
        "TransactionInProgressException",
        "PriorRequestNotComplete",
        "SlowDown",
    }
)

ACCESS_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"})

BAD_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "InvalidSignatureException",
        "IncompleteSignature",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "AuthFailure",
    }
)

NOT_FOUND = frozenset(
    {
        "LoadBalancerNotFound",
        "ListenerNotFound",
        "RuleNotFound",
        "TargetGroupNotFound",
        "ClusterNotFoundException",
        "ServiceNotFoundException",
        "ServiceNotActiveException",
        "TaskSetNotFoundException",
        "ResourceNotFound",
        "ResourceNotFoundException",
        "ObjectNotFoundException",
    }
)

NEVER_SENT = (botocore.EndpointConnectionError, botocore.ConnectTimeoutError, botocore.ProxyConnectionError)

NO_CREDENTIALS = (
    botocore.NoCredentialsError,
    botocore.PartialCredentialsError,
    botocore.CredentialRetrievalError,
    botocore.TokenRetrievalError,
    botocore.UnauthorizedSSOTokenError,
    botocore.SSOTokenLoadError,
)

SIGN_IN = "aws sts get-caller-identity shows who you are; then aws sso login, or --profile NAME (AWS_PROFILE)"

_DENIED = re.compile(r"not authorized to perform:? (?P<action>[\w-]+:\w+)(?: on resource:? (?P<resource>\S+))?")


_VALUE = re.compile(r", value: .*?(?=, (?:type|valid))")
"""What was sent stays out of the message: a task definition holds environment values."""


def translate(error: Exception, *, operation: str, mutating: bool) -> BluegreenError:
    """The error of our tree for one of botocore's. ``operation`` is ``service:Operation``."""
    if isinstance(error, botocore.ClientError):
        return _from_answer(error, operation, mutating)
    if isinstance(error, NO_CREDENTIALS):
        return CredentialsError(f"no AWS credentials for {operation}: {error}", operation=operation, hint=SIGN_IN)
    if isinstance(error, botocore.ParamValidationError):
        wrong = _VALUE.sub("", _one_line(error))
        return RefusedError(f"{operation} was not sent, its parameters are wrong: {wrong}")
    if isinstance(error, botocore.NoRegionError | botocore.ProfileNotFound | botocore.InvalidRegionError):
        return ConfigurationError(str(error), hint="--region REGION, AWS_REGION, or region: in the configuration")
    if isinstance(error, botocore.HTTPClientError | botocore.ConnectionError):
        return _unreachable(error, operation, mutating)
    return AwsError(f"{operation} failed: {_one_line(error)}", operation=operation, code=type(error).__name__)


def _from_answer(error: botocore.ClientError, operation: str, mutating: bool) -> BluegreenError:
    answer: dict[str, Any] = dict(error.response)
    code = str(answer.get("Error", {}).get("Code", ""))
    said = str(answer.get("Error", {}).get("Message", "")).strip()
    metadata = answer.get("ResponseMetadata", {})
    facts = {"operation": operation, "code": code, "request_id": str(metadata.get("RequestId", ""))}
    if code in ACCESS_DENIED:
        return _denied(said, operation, facts)
    if code in THROTTLES or "Too many concurrent attempts" in said:
        return ThrottledError(f"AWS throttles {operation}: too many calls in this account and region", **facts)
    if code in BAD_CREDENTIALS:
        return CredentialsError(f"AWS does not accept the credentials ({code}): {said}", **facts, hint=SIGN_IN)
    if code in NOT_FOUND or said.startswith("Unable to describe task definition"):
        return NotFoundError(f"{operation} found nothing: {said or code}", **facts)
    if int(metadata.get("HTTPStatusCode", 0)) >= 500:
        effect = "; the change may have taken effect" if mutating else ""
        return UnreachableError(f"AWS failed {operation} ({code}: {said}){effect}", **facts, hint="repeat it")
    return AwsError(f"AWS refused {operation}: {said or code} ({code})", **facts)


def _denied(said: str, operation: str, facts: dict[str, str]) -> AccessDeniedError:
    match = _DENIED.search(said)
    action = match["action"] if match else operation
    resource = (match["resource"] or "").rstrip(".,") if match else ""
    place = f" on {resource}" if resource else ""
    return AccessDeniedError(f"not allowed: {action}{place}", **facts, hint=f"grant {action}{place} to this identity")


def _unreachable(error: Exception, operation: str, mutating: bool) -> UnreachableError:
    if not mutating:
        effect = ""
    elif isinstance(error, NEVER_SENT):
        effect = "; nothing was sent"
    else:
        effect = "; the change may have taken effect"
    return UnreachableError(
        f"no answer from AWS to {operation}{effect}: {_one_line(error)}",
        operation=operation,
        code=type(error).__name__,
        hint="check the network and AWS_ENDPOINT_URL, then repeat",
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
