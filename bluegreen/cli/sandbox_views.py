"""What `bluegreen sandbox status` and `up` show, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def tables(content: Mapping[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    services = [{**item, "target_groups": ", ".join(item["target_groups"])} for item in content["services"]]
    tasks = [
        {
            "task": task["task"],
            "service": task["service"] or "",
            "definition": task["task_definition"],
            "address": task["address"],
            "state": task["state"],
            "containers": ", ".join(f"{item['name']} {item['image']} {item['state']}" for item in task["containers"]),
            "reason": task["stopped_reason"] or "",
        }
        for task in content["tasks"]
        if task["state"] != "STOPPED"
    ]
    groups = [
        {
            "target_group": group["target_group"],
            "healthy": group["healthy"],
            "targets": ", ".join(
                f"{item['address']}:{item['port']} {item['health']}"
                + (f" ({item['reason']})" if item["reason"] else "")
                for item in group["targets"]
            ),
        }
        for group in content["target_groups"]
    ]
    titles = ("listeners", "services", "tasks", "target groups")
    return list(zip(titles, (content["listeners"], services, tasks, groups), strict=True))


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    from tabulate import tabulate

    return tabulate([dict(row) for row in rows], headers="keys", tablefmt="simple", disable_numparse=True)
