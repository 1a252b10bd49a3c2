#!/usr/bin/env python3
"""Sidecar check: every task of green runs its sidecars, too. A target group only knows the app's port.

    hooks:
      after_launch:
        - {command: {run: [python3, hooks/sidecar_check.py, --service, orders-2, envoy, datadog-agent]}}

``--service`` defaults to BLUEGREEN_GREEN_SERVICE, ``--cluster`` to BLUEGREEN_CLUSTER. A container must be RUNNING
and, where it has a health check, not UNHEALTHY. Needs boto3, and ecs:ListTasks and ecs:DescribeTasks.
Exit codes: 0 yes, 1 no, 75 could not ask.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

COULD_NOT_ASK = 75


def main() -> int:
    options = parse()
    try:
        tasks = running(boto3.client("ecs"), options.cluster, options.service)
    except (BotoCoreError, ClientError) as error:
        print(f"ECS did not tell: {error}")
        return COULD_NOT_ASK
    problems = [problem for task in tasks for problem in missing(task, options.containers)]
    if not tasks:
        problems = [f"{options.service} has no running task"]
    print("\n".join(problems) or f"{', '.join(options.containers)} run in all {len(tasks)} tasks of {options.service}")
    return 1 if problems else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="every task of green runs its sidecars")
    parser.add_argument("containers", nargs="+")
    parser.add_argument("--cluster", default=os.environ.get("BLUEGREEN_CLUSTER", "default"))
    parser.add_argument("--service", default=os.environ.get("BLUEGREEN_GREEN_SERVICE"))
    options = parser.parse_args()
    if not options.service:
        parser.error("name green's ECS service with --service")
    return options


def running(ecs: Any, cluster: str, service: str) -> list[dict[str, Any]]:
    pages = ecs.get_paginator("list_tasks").paginate(cluster=cluster, serviceName=service, desiredStatus="RUNNING")
    return [
        task
        for page in pages
        if page["taskArns"]
        for task in ecs.describe_tasks(cluster=cluster, tasks=page["taskArns"])["tasks"]
    ]


def missing(task: dict[str, Any], wanted: list[str]) -> list[str]:
    containers = {container["name"]: container for container in task.get("containers", [])}
    name = task["taskArn"].rpartition("/")[2]
    found = []
    for sidecar in wanted:
        container = containers.get(sidecar, {"lastStatus": "missing"})
        health = container.get("healthStatus", "UNKNOWN")
        if container["lastStatus"] != "RUNNING":
            exit_code = f", exit code {container['exitCode']}" if "exitCode" in container else ""
            found.append(f"task {name}: {sidecar} is {container['lastStatus']}{exit_code}")
        elif health == "UNHEALTHY":
            found.append(f"task {name}: {sidecar} is unhealthy")
    return found


if __name__ == "__main__":
    sys.exit(main())
