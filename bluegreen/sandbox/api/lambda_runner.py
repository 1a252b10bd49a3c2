"""One invocation of a Python function: ``python lambda_runner.py HANDLER FOLDER REQUEST_ID``, in the code's folder.

``FOLDER/event`` is the event; ``FOLDER/result`` gets ``=`` and the answer, or ``!`` and the error as Lambda tells it.
Imports nothing of bluegreen: the function's own modules come first.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from typing import Any


class Context:
    """What Lambda's Python runtime hands to a handler beside the event."""

    def __init__(self, request_id: str) -> None:
        self.aws_request_id = request_id
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.invoked_function_arn = os.environ["BLUEGREEN_SANDBOX_FUNCTION_ARN"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = f"sandbox/[{self.function_version}]{request_id}"
        self.identity = None
        self.client_context = None
        self._until = time.monotonic() + float(os.environ["BLUEGREEN_SANDBOX_TIMEOUT"])

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int(1000 * (self._until - time.monotonic())))


class RuntimeProblem(Exception):
    """The handler could not be found; its text is Lambda's."""


def main(handler: str, folder: str, request_id: str) -> None:
    with open(os.path.join(folder, "event"), "rb") as file:
        event = json.loads(file.read() or b"{}")
    try:
        answer = _find(handler)(event, Context(request_id))
        result = b"=" + json.dumps(answer).encode()
    except RuntimeProblem as error:
        kind, message = error.args
        result = b"!" + json.dumps({"errorType": kind, "errorMessage": message, "requestId": request_id}).encode()
    except Exception as error:
        traceback.print_exc()
        result = b"!" + json.dumps(_told(error, request_id)).encode()
    draft = os.path.join(folder, "draft")
    with open(draft, "wb") as file:
        file.write(result)
    os.replace(draft, os.path.join(folder, "result"))


def _find(handler: str) -> Any:
    sys.path.insert(0, os.getcwd())
    module_name, _, name = handler.rpartition(".")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise RuntimeProblem(
            "Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}"
        ) from error
    if not hasattr(module, name):
        raise RuntimeProblem("Runtime.HandlerNotFound", f"Handler '{name}' missing on module '{module_name}'")
    return getattr(module, name)


def _told(error: Exception, request_id: str) -> dict[str, Any]:
    stack = traceback.format_list(traceback.extract_tb(error.__traceback__)[1:])
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": request_id,
        "stackTrace": stack,
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
