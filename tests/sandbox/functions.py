"""Lambda functions as teams have them, for ECS and for CodeDeploy: nothing of bluegreen is in them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from contextlib import suppress

from tests.sandbox.conftest import RunningSandbox

ROLE = "arn:aws:iam::123456789012:role/hooks"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}

ECS_HOOK = """
import json
import os
import urllib.request

def lambda_handler(event, context):
    details = event.get("hookDetails") or {}
    seen = details.get("invocations", 0) + 1
    if seen < 2:
        return {"hookStatus": "IN_PROGRESS", "callBackDelay": 1, "hookDetails": {**details, "invocations": seen}}
    print("stage", event["lifecycleStage"], "of", event["executionDetails"]["serviceArn"])
    with urllib.request.urlopen(os.environ["TEST_URL"], timeout=5) as answer:
        image = json.load(answer)["image"]
    return {"hookStatus": "SUCCEEDED" if image == os.environ["EXPECTED"] else "FAILED", "saw": image}
"""

CODEDEPLOY_HOOK = """
import os
import boto3

codedeploy = boto3.client("codedeploy")

def handler(event, context):
    result = os.environ.get("RESULT", "Succeeded")
    print("Entering AfterAllowTestTraffic hook of", event["DeploymentId"])
    try:
        codedeploy.put_lifecycle_event_hook_execution_status(
            deploymentId=event["DeploymentId"],
            lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
            status=result,
        )
    except codedeploy.exceptions.ClientError as error:
        raise Exception("Validation test failed") from error
    return "AfterAllowTestTraffic validation tests ended"
"""


def zipped(**files: str) -> bytes:
    """``files`` are modules by name."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.py", text)
    return raw.getvalue()


def create(
    sandbox: RunningSandbox,
    name: str,
    code: str,
    handler: str = "app.handler",
    timeout: int = 10,
    variables: Mapping[str, str] | None = None,
) -> str:
    """A function from ``code``, the module ``app``; answers its ARN. One of that name from before is replaced."""
    client, iam = sandbox.client("lambda"), sandbox.client("iam")
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName="hooks", AssumeRolePolicyDocument=json.dumps(TRUST))
    with suppress(client.exceptions.ResourceNotFoundException):
        client.delete_function(FunctionName=name)
    made = client.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=ROLE,
        Handler=handler,
        Timeout=timeout,
        Code={"ZipFile": zipped(app=code)},
        Environment={"Variables": dict(variables or {})},
    )
    return str(made["FunctionArn"])
