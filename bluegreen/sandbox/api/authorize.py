"""Policies enforced in the sandbox: each belongs to an access key; a key without one may do everything."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from bluegreen.sandbox.api.answer import Answer, error_answer
from bluegreen.sandbox.api.iam import Need, allowing, needs_of
from bluegreen.sandbox.api.request import Call, Environ
from bluegreen.sandbox.base import ACCOUNT

_CREDENTIAL = re.compile(r"Credential=([^/]+)/")
_ALWAYS = {"sts:GetCallerIdentity"}


class Policies:
    """What each identity may do, by its access key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._policies: dict[str, Mapping[str, Any]] = {}

    def put(self, access_key: str, policy: Mapping[str, Any] | None) -> None:
        """None lets the key do everything again. Raises ValueError for what is no policy document."""
        if policy is not None and not isinstance(policy.get("Statement"), list | dict):
            raise ValueError("a policy is a JSON object with a Statement")
        if not access_key:
            raise ValueError("access_key says whose policy it is")
        with self._lock:
            if policy is None:
                self._policies.pop(access_key, None)
            else:
                self._policies[access_key] = policy

    def listed(self) -> dict[str, Any]:
        with self._lock:
            return dict(self._policies)

    def clear(self) -> None:
        with self._lock:
            self._policies.clear()

    def refusal(self, call: Call, environ: Environ) -> Answer | None:
        """AWS's answer to a call that the caller's policy does not allow; None where it does."""
        access_key = _access_key(environ)
        policy = self.listed().get(access_key)
        if policy is None or call.name in _ALWAYS:
            return None
        for need in needs_of(call, _roles(call.region)):
            if allowing(policy, need) is None:
                return _denied(call, access_key, need)
        return None


# Private


def _access_key(environ: Environ) -> str:
    found = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    return found[1] if found else ""


def _denied(call: Call, access_key: str, need: Need) -> Answer:
    code, status = ("AccessDenied", 403) if call.protocol in ("query", "ec2") else ("AccessDeniedException", 400)
    message = (
        f"User: arn:aws:iam::{ACCOUNT}:user/{access_key} is not authorized to perform: {need.action} "
        f"on resource: {need.resource} because no identity-based policy allows the {need.action} action"
    )
    return error_answer(call, status, code, message)


def _roles(region: str) -> Any:
    from moto.ecs.models import ecs_backends

    def roles_of(definition: str) -> Sequence[str]:
        try:
            found = ecs_backends[ACCOUNT][region].describe_task_definition(definition)
        except Exception:
            return ()  # ECS itself answers that there is none
        arns = (getattr(found, name, None) for name in ("task_role_arn", "execution_role_arn"))
        return [arn for arn in arns if arn]

    return roles_of
