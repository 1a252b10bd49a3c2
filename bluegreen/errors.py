"""Every error a person can meet, and the exit code that tells the truth about it.

    BluegreenError                1   a fault of ours, or an answer nobody expected
      UsageError                  2   the command line is wrong
        ConfigurationError        2   the configuration is wrong; carries every problem at once
      RolledBackError             3   traffic went back to blue
      HeldError                   4   a person must decide
      LockedError                 5   another driver works on this service
        PreemptedError            5   another driver took this deployment over
      RefusedError                6   refused before anything changed
        QuarantinedError          6   the release was rolled back before
        NotThereError             6   what the configuration names does not exist, or is another service's
        RecordError               6   a stored record cannot be read; nothing was overwritten
      DeadlineError               7   a deadline passed, nothing half-done
      DetachedError             130   Ctrl-C: the deployment stands where the record says
      AwsError                    1   AWS refused or failed a call
        ThrottledError            1   too many calls; safe to repeat
        AccessDeniedError         6   a missing permission, with action and resource
        CredentialsError          6   no credentials, or an expired session
        NotFoundError             6   a named resource does not exist
        UnreachableError          1   no answer: a mutating call may have taken effect
      StoreUnavailableError       1   the state store gives no answer
      HookUnavailableError        1   a hook could not be asked ("broken" is not "no")
        HookLostError             1   a running hook is not known to this process: it ended with its driver

A message states the fact, the place, and the next action.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self


class BluegreenError(Exception):
    """Root of the tree. ``message`` is for a person; ``hint`` is what to type or do next.

    ``changed_nothing``: the call that met it has certainly had no effect, and will have none later.
    """

    exit_code = 1
    changed_nothing = False

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def and_also(self, said: str, *, next_action: str = "") -> Self:
        """Itself, with more to say and, after its own hint, more to do."""
        self.message = f"{self.message}{said}"
        self.hint = "; ".join(filter(None, [self.hint, next_action])) or None
        self.args = (self.message,)
        return self

    def with_text(self, change: Callable[[str], str]) -> Self:
        """Itself, with its words changed."""
        self.message = change(self.message)
        self.hint = self.hint and change(self.hint)
        self.args = (self.message,)
        return self


class UsageError(BluegreenError):
    exit_code = 2


class ConfigurationError(UsageError):
    """``problems`` holds one line for each problem, with the path of its key."""

    def __init__(self, message: str, *, problems: tuple[str, ...] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.problems = problems


class RolledBackError(BluegreenError):
    exit_code = 3


class HeldError(BluegreenError):
    """``fault``: what AWS answered holds it, not a person's wish or a gate's word; the log knows more."""

    exit_code = 4
    fault = False


class LockedError(BluegreenError):
    exit_code = 5


class PreemptedError(LockedError):
    pass


class RefusedError(BluegreenError):
    exit_code = 6


class QuarantinedError(RefusedError):
    pass


class NotThereError(RefusedError):
    pass


class RecordError(RefusedError):
    pass


class DeadlineError(BluegreenError):
    exit_code = 7


class DetachedError(BluegreenError):
    exit_code = 130


class AwsError(BluegreenError):
    """``operation``, ``code`` and ``request_id`` go to the log; ``message`` to the person."""

    def __init__(
        self,
        message: str,
        *,
        operation: str = "",
        code: str = "",
        request_id: str = "",
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.operation = operation
        self.code = code
        self.request_id = request_id


class ThrottledError(AwsError):
    pass


class AccessDeniedError(AwsError):
    exit_code = 6


class CredentialsError(AwsError):
    exit_code = 6


class NotFoundError(AwsError):
    exit_code = 6


class UnreachableError(AwsError):
    pass


class StoreUnavailableError(BluegreenError):
    pass


class HookUnavailableError(BluegreenError):
    pass


class HookLostError(HookUnavailableError):
    pass
