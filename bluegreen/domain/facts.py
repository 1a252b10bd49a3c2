"""What a gate may be told of the deployment that it watches, by name."""

from __future__ import annotations

import re
from collections.abc import Mapping

COMPARISON = "compare"
"""The kind of gate that holds green against blue: it needs to know both, and both must have traffic."""

FACTS = (
    "deployment",
    "service",
    "cluster",
    "region",
    "load_balancer",
    "load_balancer_name",
    "blue",
    "green",
    "blue_service",
    "green_service",
    "blue_target_group",
    "green_target_group",
    "blue_target_group_arn",
    "green_target_group_arn",
    "release",
    "previous_release",
    "task_definition",
)
"""What a gate's settings may say as ``${name}`` beside the environment's variables, and before them.

``load_balancer`` and ``…_target_group`` are as CloudWatch's dimensions have them (``app/prod/50dc``,
``targetgroup/orders-1/73e2``), of the first production route; ``blue`` and ``green`` are the slots' names.
"""


def facts_in(value: object) -> set[str]:
    """The facts that a gate's settings name, as deep as they go."""
    if isinstance(value, str):
        return {found for found in re.findall(r"\$\{(\w+)\}", value.replace("$${", "")) if found in FACTS}
    if isinstance(value, Mapping):
        value = list(value.values())
    return set().union(*map(facts_in, value)) if isinstance(value, list | tuple) else set()


SIDE_FACTS = ("side", "side_service", "side_target_group", "period")
"""In the queries of a comparison, which are asked once for each side and interval."""
